import math
from collections.abc import Sequence
from statistics import median


def percentile(values: Sequence[float], part: float) -> float:
    """Return the smallest of the values that at least `part` percent of them do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * part / 100) - 1)]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the minimum, the median and the maximum."""
    return min(values), median(values), max(values)


def as_text(value: float) -> str:
    """Return the number with three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
