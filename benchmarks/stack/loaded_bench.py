"""A bench with the real orders in it. `allocation load` loads them, and this module measures how long that takes."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report.progress import print_progress
from benchmarks.stack import shop
from benchmarks.stack.bench import Bench, Options
from benchmarks.stack.throwaway import CLI, ROOT, Stack, throwaway_stack
from benchmarks.stack.views import wait_for_views

DATA = ROOT.parent / "shared" / "data" / "online-retail"
ORDERS_WITHOUT_DATA = 50_000
LOADS_IN_FULL = 3


class LoadFailed(Exception):
    pass


@dataclass
class LoadedBench(Bench):
    load_seconds: list[float] = field(default_factory=list)
    """For each load, the seconds from its start until the views have caught up. Empty if there are no real orders."""


@contextmanager
def loaded_bench(options: Options) -> Iterator[LoadedBench]:
    """Yield the stack of the last load. If there are no real orders, it has generated ones."""
    repeated = LOADS_IN_FULL - 1 if options.full and DATA.exists() else 0
    seconds = [load_into_new_stack() for _ in range(repeated)]
    with throwaway_stack() as stack, stack.relay(), ExitStack() as cleanup:
        if DATA.exists():
            seconds.append(load(stack))
        shop.add_stock(stack.engine)
        shop.add_orders(stack.engine, shop.ORDERS if DATA.exists() else ORDERS_WITHOUT_DATA)
        server = cleanup.enter_context(stack.web_server())
        wait_for_views(stack)
        yield LoadedBench(stack, server.port, options, cleanup, load_seconds=seconds)


def load_into_new_stack() -> float:
    with throwaway_stack() as stack, stack.relay():
        return load(stack)


def load(stack: Stack) -> float:
    """Load the real orders. Return the seconds until the views have caught up. Raises LoadFailed."""
    wait_for_views(stack)  # The relay creates them when it starts.
    started = time.perf_counter()
    run_load(stack, DATA)
    handled = time.perf_counter() - started
    wait_for_views(stack)
    caught_up = time.perf_counter() - started
    print_progress(f"  all rows were handled after {handled:.1f} s, the views had caught up after {caught_up:.1f} s")
    return caught_up


def run_load(stack: Stack, folder: Path) -> None:
    """Run `allocation load` on the files batches.csv.gz and orders.csv.gz of the folder. Raises LoadFailed."""
    files = ["--batches", str(folder / "batches.csv.gz"), "--orders", str(folder / "orders.csv.gz")]
    process = stack.start(CLI, "load", *files)
    if process.wait():
        raise LoadFailed(f"`allocation load` ended with code {process.returncode}")
