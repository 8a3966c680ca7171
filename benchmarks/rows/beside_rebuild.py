"""The rate of commands and the latency of queries during rebuilds, compared with the same without a rebuild."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT
from statistics import mean
from typing import NamedTuple

from benchmarks.load_generator.generator import CLIENTS
from benchmarks.report.table import Row
from benchmarks.rounds import alternate
from benchmarks.stack.bench import Bench
from benchmarks.stack.shop import ANY, allocations, queries
from benchmarks.stack.throwaway import CLI, Stack

ORDERS = 20_000
"""A whole rebuild fits into a round, but lasts much longer than the start of its process."""
QUERIES_PER_SECOND = 200
"""So few that queries do not wait for each other."""


class Figures(NamedTuple):
    """Commands a second, and two percentiles of the queries in milliseconds."""

    commands: float
    p50: float
    p99: float


class Rebuilds:
    """Runs one rebuild after another until it is stopped."""

    def __init__(self, stack: Stack) -> None:
        self.finished = 0
        self._stack = stack
        self._stopped = False
        self._failed = False
        self._current: subprocess.Popen[bytes] | None = None

    def repeat(self) -> None:
        while not self._stopped and not self._failed:
            self._current = self._stack.start(CLI, "rebuild")
            self._failed = self._current.wait() != 0 and not self._stopped
            self.finished += 1

    def check(self) -> None:
        if self._failed:
            raise RuntimeError("A rebuild failed")

    def stop(self) -> None:
        self._stopped = True
        if self._current is not None:
            self._current.send_signal(SIGINT)  # The rebuild then withdraws its generation.


def measure_rows(bench: Bench) -> list[Row]:
    found = alternate(
        bench.options.rounds,
        {"beside a rebuild": lambda: measure_beside_rebuild(bench), "without": lambda: measure(bench)},
    )

    def row(name: str, unit: str, part: int) -> Row:
        beside, without = ([figures[part] for figures in side] for side in found.values())
        return Row(f"{name} while the views are rebuilt", unit, beside, "without a rebuild", without)

    orders = f"`GET /orders/<orderid>`, {QUERIES_PER_SECOND} a second,"
    return [
        row(f"`POST /allocate`, {CLIENTS} clients,", "requests/s", 0),
        row(f"{orders} p50", "ms", 1),
        row(f"{orders} p99", "ms", 2),
    ]


def measure(bench: Bench) -> Figures:
    commands = bench.send(allocations(ANY))
    orders = bench.send_at(QUERIES_PER_SECOND, queries("orders"))
    return Figures(commands.rate, orders.p50, orders.p99)


def measure_beside_rebuild(bench: Bench) -> Figures:
    """Measure until a rebuild has finished: near its end it costs more, because every writer writes two generations."""
    with rebuilding(bench.stack) as rebuilds:
        parts = [measure(bench)]
        while not rebuilds.finished:
            parts.append(measure(bench))
        rebuilds.check()
    return Figures(*map(mean, zip(*parts, strict=True)))


@contextmanager
def rebuilding(stack: Stack) -> Iterator[Rebuilds]:
    rebuilds = Rebuilds(stack)
    thread = threading.Thread(target=rebuilds.repeat)
    thread.start()
    try:
        yield rebuilds
    finally:
        rebuilds.stop()
        thread.join()
