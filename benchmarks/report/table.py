"""The rows of the report, and the table in Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from benchmarks.report.numbers import as_text, spread

HEAD = ("measured", "reference", "min", "median", "max", "medians of both", "target", "reached")
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
    """The ratio of the service's figure to the reference's, for each round. Without a reference, the figure itself."""

    measured: str
    unit: str
    figures: Sequence[float]
    reference: str = ""
    reference_figures: Sequence[float] = ()
    target: Target | None = None
    of_speeds: bool = False
    """Both figures are times, and the ratio is that of the speeds."""

    @property
    def values(self) -> list[float]:
        if not self.reference_figures:
            return list(self.figures)
        pairs = zip(self.figures, self.reference_figures, strict=True)
        return [theirs / ours if self.of_speeds else ours / theirs for ours, theirs in pairs]

    def cells(self) -> tuple[str, ...]:
        values, unit = self.values, "" if self.reference_figures else f" {self.unit}"
        shown = [as_text(value) + unit for value in spread(values)]
        return (self.measured, self.reference or NOTHING, *shown, self._both_medians(), *self._judge(median(values)))

    def _both_medians(self) -> str:
        if not self.reference_figures:
            return NOTHING
        return f"{as_text(median(self.figures))} : {as_text(median(self.reference_figures))} {self.unit}"

    def _judge(self, value: float) -> tuple[str, str]:
        if self.target is None:
            return NOTHING, NOTHING
        return str(self.target), "yes" if self.target.is_reached_by(value) else "**no**"


class Missing(NamedTuple):
    """A row that could not be measured."""

    measured: str
    reason: str

    def cells(self) -> tuple[str, ...]:
        return (self.measured, f"**{self.reason}**", *[""] * (len(HEAD) - 2))


def table(rows: Iterable[Row | Missing]) -> str:
    lines = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
