"""Writes, and the latency of reads, while rebuilds run one after the other, against the same without."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT
from statistics import mean
from typing import NamedTuple

from benchmarks.bench import Bench
from benchmarks.generator import CLIENTS
from benchmarks.numbers import alternate
from benchmarks.shop import ANY, allocations, queries
from benchmarks.stack import CLI, Stack
from benchmarks.table import Row

ORDERS = 20_000
"""So few that a whole rebuild fits into each round, and so many that it is long against the start of its process."""
READS = 200
"""A second: so few that they wait for what the machine does, not for one another."""


class Both(NamedTuple):
    writes: float
    p50: float
    p99: float


class Rebuilds:
    """One after the other, until they are stopped."""

    def __init__(self, stack: Stack) -> None:
        self.done = 0
        self._stack = stack
        self._stopped = False
        self._failed = False
        self._current: subprocess.Popen[bytes] | None = None

    def repeat(self) -> None:
        while not self._stopped and not self._failed:
            self._current = self._stack.started(CLI, "rebuild")
            self._failed = self._current.wait() != 0 and not self._stopped
            self.done += 1

    def check(self) -> None:
        if self._failed:
            raise RuntimeError("A rebuild failed")

    def stop(self) -> None:
        self._stopped = True
        if self._current is not None:
            self._current.send_signal(SIGINT)  # Upon which it takes back what it has announced.


def rows(bench: Bench) -> list[Row]:
    found = alternate(bench.options.rounds, {"beside": lambda: beside(bench), "without": lambda: measure(bench)})

    def row(name: str, unit: str, part: int) -> Row:
        ours, theirs = ([both[part] for both in found[side]] for side in ("beside", "without"))
        return Row(f"{name} while the views are rebuilt", unit, ours, "without a rebuild", theirs)

    reads = f"`GET /orders/<orderid>`, {READS} a second,"
    return [
        row(f"`POST /allocate`, {CLIENTS} clients,", "requests/s", 0),
        row(f"{reads} p50", "ms", 1),
        row(f"{reads} p99", "ms", 2),
    ]


def measure(bench: Bench) -> Both:
    writes = bench.send(allocations(ANY))
    reads = bench.send_at(READS, queries("orders"))
    return Both(writes.rate, reads.p50, reads.p99)


def beside(bench: Bench) -> Both:
    """Over a whole rebuild, since its steps are not alike: near its end all is written twice."""
    with rebuilding(bench.stack) as rebuilds:
        parts = [measure(bench)]
        while not rebuilds.done:
            parts.append(measure(bench))
        rebuilds.check()
    return Both(*map(mean, zip(*parts, strict=True)))


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
