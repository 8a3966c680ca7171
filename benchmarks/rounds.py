"""Measures several things in turn, in rounds."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from benchmarks.report.progress import print_progress

T = TypeVar("T")


def alternate(rounds: int, measures: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Call each measure once per round, and return its results under its name.

    The results of a first round are dropped: it only warms up. Every second round runs in reverse order, so that a
    change of the machine's speed affects all measures alike.
    """
    found: dict[str, list[T]] = {name: [] for name in measures}
    for number in range(rounds + 1):
        for name in sorted(measures, key=list(measures).index, reverse=number % 2 == 1):
            measured = measures[name]()
            print_progress(f"  {f'round {number}' if number else 'warm-up'}: {name}: {measured}")
            if number:
                found[name].append(measured)
    return found
