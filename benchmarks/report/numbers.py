"""Rounds, and what is made of their numbers."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def alternate(rounds: int, measures: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """What each measured in each round, after a warm-up that counts for nothing.

    They take turns, every second time in reverse, so that what changes on the machine meanwhile falls on all alike.
    """
    found: dict[str, list[T]] = {name: [] for name in measures}
    for number in range(rounds + 1):
        for name in sorted(measures, key=list(measures).index, reverse=number % 2 == 1):
            measured = measures[name]()
            tell(f"  {f'round {number}' if number else 'warm-up'}: {name}: {measured}")
            if number:
                found[name].append(measured)
    return found


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that `part` percent of them do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * part / 100) - 1)]


def tell(line: str) -> None:
    """Progress, out of the way of the table."""
    print(line, file=sys.stderr, flush=True)
