"""A stack with the real orders: they are loaded by `allocation load`, and that is measured."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from benchmarks import shop, views
from benchmarks.bench import Bench, Options
from benchmarks.numbers import tell
from benchmarks.stack import CLI, ROOT, Stack, throw_away

DATA = ROOT.parent / "shared" / "data" / "online-retail"
MADE_UP = 50_000
ROUNDS_IN_FULL = 3


class LoadFailed(Exception):
    pass


@dataclass
class Loaded(Bench):
    loads: list[float] = field(default_factory=list)
    """Seconds from the start of each load until the views had caught up; nothing where there is no data."""


@contextmanager
def loaded(options: Options) -> Iterator[Loaded]:
    """The stack of the last load."""
    more = ROUNDS_IN_FULL - 1 if options.full and DATA.exists() else 0
    loads = [seconds_of_a_load() for _ in range(more)]
    with throw_away() as stack, stack.running("relay"), ExitStack() as ending:
        if DATA.exists():
            loads.append(load(stack))
        shop.stock(stack.engine)
        shop.orders(stack.engine, shop.ORDERS if DATA.exists() else MADE_UP)
        port = ending.enter_context(stack.serving_as_configured())
        views.wait_for(stack)
        yield Loaded(stack, port, options, ending, loads=loads)


def seconds_of_a_load() -> float:
    with throw_away() as stack, stack.running("relay"):
        return load(stack)


def load(stack: Stack) -> float:
    views.wait_for(stack)  # They are made when the relay comes.
    started = time.perf_counter()
    program = stack.started(CLI, "load", "--batches", file("batches"), "--orders", file("orders"))
    if program.wait():
        raise LoadFailed(f"`allocation load` ended with code {program.returncode}")
    handled = time.perf_counter() - started
    views.wait_for(stack)
    taken = time.perf_counter() - started
    tell(f"  all rows handled after {handled:.1f} s, the views had caught up after {taken:.1f} s")
    return taken


def file(name: str) -> str:
    return str(DATA / f"{name}.csv.gz")
