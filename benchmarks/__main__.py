"""Compares the service with what it is built on, and prints the table of results.

A run of all rows also writes results.md. The table marks a missed target. The exit code is 1 if a row could not be
measured.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.report.machine import facts
from benchmarks.report.progress import print_progress
from benchmarks.report.table import Missing, Row, table
from benchmarks.rows import allocate, alone, beside_rebuild, bulk, load, processor_time, queries, rebuild, visible
from benchmarks.stack.bench import Options, prepared_bench
from benchmarks.stack.loaded_bench import loaded_bench

LONGEST_REASON = 200
RESULTS = Path(__file__).parent / "results.md"

MeasureRows = Callable[[Any], Sequence[Row | Missing]]
CreateBench = Callable[[Options], AbstractContextManager[Any]]
BENCHES: list[tuple[CreateBench, dict[str, MeasureRows]]] = [
    (
        prepared_bench,
        {
            "allocate": allocate.measure_rows,
            "alone": alone.measure_rows,
            "processor-time": processor_time.measure_rows,
            "queries": queries.measure_rows,
            "bulk": bulk.measure_rows,
            "visible": visible.measure_rows,
        },
    ),
    (loaded_bench, {"load": load.measure_rows, "rebuild": rebuild.measure_rows}),
    (partial(prepared_bench, orders=beside_rebuild.ORDERS), {"beside-rebuild": beside_rebuild.measure_rows}),
]
NAMES = [name for _, groups in BENCHES for name in groups]


class Run:
    def __init__(self, options: Options) -> None:
        self.rows: list[Row | Missing] = []
        self.failed = False
        self._options = options
        self._load_average = os.getloadavg()[0]
        self._started = time.monotonic()
        self._facts: list[str] = []

    def measure(self, names: Collection[str]) -> None:
        for create_bench, groups in BENCHES:
            wanted = {name: measure_rows for name, measure_rows in groups.items() if name in names}
            with self._failures_as_rows(", ".join(wanted)):
                self._measure(create_bench, wanted)

    def _measure(self, create_bench: CreateBench, wanted: Mapping[str, MeasureRows]) -> None:
        if not wanted:
            return
        with create_bench(self._options) as bench:
            self._facts = self._facts or list(facts(bench.stack, self._load_average))
            for name, measure_rows in wanted.items():
                print_progress(name)
                with self._failures_as_rows(name):
                    self.rows += measure_rows(bench)

    @contextmanager
    def _failures_as_rows(self, name: str) -> Iterator[None]:
        """Report any failure as a row, so that the other rows are still measured."""
        try:
            yield
        except Exception as error:
            self.failed = True
            print_progress(f"  FAILED: {error!r}")
            self.rows.append(Missing(name, f"FAILED: {' '.join(str(error).split())[:LONGEST_REASON]}"))

    def report(self) -> Iterator[str]:
        yield "# The service beside what it is built on\n\n"
        yield f"`make bench` wrote this file. It measured {self._options.rounds} rounds of {self._options.seconds} s, "
        yield "after a warm-up. The service and its reference alternate. In a row with a reference, min, median and "
        yield "max are those of the rounds' ratios. In a row without one, they are those of the figure itself.\n\n"
        yield f"{table(self.rows)}\n"
        yield from (f"- {fact}\n" for fact in self._facts)
        yield f"- Duration: {time.monotonic() - self._started:.0f} s\n"


def positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise ValueError
    return number


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=Options.rounds, help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=positive, default=Options.seconds, help="length of a round; default: %(default)s"
    )
    parser.add_argument("--full", action="store_true", help="load the real orders three times")
    only = f"measure and print these rows, but do not write results.md: {', '.join(NAMES)}"
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=only)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # By default, the servers would survive this process.
    run = Run(Options(arguments.rounds, arguments.seconds, arguments.full))
    run.measure(arguments.only or NAMES)
    report = "".join(run.report())
    print(report, end="")
    if not arguments.only:
        RESULTS.write_text(report)
    sys.exit(1 if run.failed else 0)


if __name__ == "__main__":
    main()
