"""Measures the service against what it is built on, in one run, and prints and writes the table.

A target that is missed is shown. The exit code is 1 where something could not be measured.
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

from benchmarks.bench import Options, bench
from benchmarks.loaded import loaded
from benchmarks.machine import facts
from benchmarks.numbers import tell
from benchmarks.rows import allocate, alone, beside_rebuild, bulk, load, queries, rebuild, visible
from benchmarks.table import Missing, Row, table

LONGEST_REASON = 200
RESULTS = Path(__file__).parent / "results.md"

Rows = Callable[[Any], Sequence[Row | Missing]]
Setting = Callable[[Options], AbstractContextManager[Any]]
SETTINGS: list[tuple[Setting, dict[str, Rows]]] = [
    (
        bench,
        {
            "allocate": allocate.rows,
            "alone": alone.rows,
            "queries": queries.rows,
            "bulk": bulk.rows,
            "visible": visible.rows,
        },
    ),
    (loaded, {"load": load.rows, "rebuild": rebuild.rows}),
    (partial(bench, orders=beside_rebuild.ORDERS), {"beside-rebuild": beside_rebuild.rows}),
]
NAMES = [name for _, groups in SETTINGS for name in groups]


class Run:
    def __init__(self, options: Options) -> None:
        self.rows: list[Row | Missing] = []
        self.failed = False
        self._options = options
        self._load = os.getloadavg()[0]
        self._started = time.monotonic()
        self._facts: list[str] = []

    def measure(self, only: Collection[str]) -> None:
        for setting, groups in SETTINGS:
            wanted = {name: rows for name, rows in groups.items() if name in only}
            with self._failures_as_rows(", ".join(wanted)):
                self._measure(setting, wanted)

    def _measure(self, setting: Setting, wanted: Mapping[str, Rows]) -> None:
        if not wanted:
            return
        with setting(self._options) as subject:
            self._facts = self._facts or list(facts(subject.stack, self._load))
            for name, rows in wanted.items():
                tell(name)
                with self._failures_as_rows(name):
                    self.rows += rows(subject)

    @contextmanager
    def _failures_as_rows(self, name: str) -> Iterator[None]:
        """The other rows are worth having."""
        try:
            yield
        except Exception as error:
            self.failed = True
            tell(f"  FAILED: {error!r}")
            self.rows.append(Missing(name, f"FAILED: {' '.join(str(error).split())[:LONGEST_REASON]}"))

    def report(self) -> Iterator[str]:
        yield "# What the service does, beside what it is built on\n\n"
        yield f"Made by `make bench`: {self._options.rounds} rounds of {self._options.seconds} s each, "
        yield "after a warm-up, in which the two sides of a row take turns. min, median and max "
        yield "are of the ratio of each round; where there is nothing to compare with, of the figure.\n\n"
        yield f"{table(self.rows)}\n"
        yield from (f"- {fact}\n" for fact in self._facts)
        yield f"- Took: {time.monotonic() - self._started:.0f} s\n"


def positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise ValueError
    return number


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=Options.rounds, help="default: %(default)s")
    parser.add_argument("--seconds", type=positive, default=Options.seconds, help="of a round; default: %(default)s")
    parser.add_argument("--full", action="store_true", help="load the real orders three times")
    told = f"print these rows, write nothing: {', '.join(NAMES)}"
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=told)
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # Else it would leave its servers behind.
    run = Run(Options(asked.rounds, asked.seconds, asked.full))
    run.measure(asked.only or NAMES)
    report = "".join(run.report())
    print(report, end="")
    if not asked.only:  # Else the file would lose the other rows.
        RESULTS.write_text(report)
    sys.exit(1 if run.failed else 0)


if __name__ == "__main__":
    main()
