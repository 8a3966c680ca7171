"""The rows of the table, and how they are written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

HEAD = ("what", "against", "min", "median", "max", "medians of both", "target", "reached")
NOTHING = "-"


class Target(NamedTuple):
    sign: str
    bound: float

    def is_reached_by(self, value: float) -> bool:
        return value >= self.bound if self.sign == "≥" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g}"


def at_least(bound: float) -> Target:
    return Target("≥", bound)


def at_most(bound: float) -> Target:
    return Target("≤", bound)


@dataclass(frozen=True)
class Row:
    """A ratio, one value a round: `ours` to `theirs`. Without `theirs` our figure alone."""

    what: str
    unit: str
    ours: Sequence[float]
    against: str = ""
    theirs: Sequence[float] = ()
    target: Target | None = None
    of_speeds: bool = False
    """Both are times, and the ratio is that of the speeds."""

    @property
    def values(self) -> list[float]:
        if not self.theirs:
            return list(self.ours)
        pairs = (self.theirs, self.ours) if self.of_speeds else (self.ours, self.theirs)
        return [ours / theirs for ours, theirs in zip(*pairs, strict=True)]

    def cells(self) -> tuple[str, ...]:
        values, alone = self.values, not self.theirs
        shown = [number(value) + (f" {self.unit}" if alone else "") for value in spread(values)]
        both = NOTHING if alone else f"{number(median(self.ours))} : {number(median(self.theirs))} {self.unit}"
        return (self.what, self.against or NOTHING, *shown, both, *self._judged(median(values)))

    def _judged(self, value: float) -> tuple[str, str]:
        if self.target is None:
            return NOTHING, NOTHING
        return str(self.target), "yes" if self.target.is_reached_by(value) else "**no**"


class Missing(NamedTuple):
    """A row that could not be measured."""

    what: str
    why: str

    def cells(self) -> tuple[str, ...]:
        return (self.what, f"**{self.why}**", *[""] * (len(HEAD) - 2))


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    return min(values), median(values), max(values)


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(rows: Iterable[Row | Missing]) -> str:
    lines = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
