"""The use of a process, from the figures of its report."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

LIMITS = {"allocation_threads": "kind", "allocation_database_connections": "pool"}
"""The metrics of limited resources, and the label that names a resource. `<metric>_in_use` has its use."""


class Use(NamedTuple):
    """How many of a limited resource are in use, for example the threads of a kind of request."""

    resource: str
    name: str
    in_use: int
    limit: int

    @property
    def is_full(self) -> bool:
        return self.in_use >= self.limit > 0


def total(figures: Mapping[str, float], metric: str) -> int:
    """Return the sum over all labels. A figure is named `metric` or `metric{label="value"}`."""
    return round(sum(value for name, value in figures.items() if name.partition("{")[0] == metric))


def uses(figures: Mapping[str, float]) -> Iterator[Use]:
    """Yield the use of each resource of which the report has both the use and the limit."""
    for metric, label in LIMITS.items():
        for name, limit in figures.items():
            start, end = f'{metric}{{{label}="', '"}'
            if name.startswith(start) and name.endswith(end):
                resource = name.removeprefix(start).removesuffix(end)
                used = figures.get(f'{metric}_in_use{{{label}="{resource}"}}')
                if used is not None:
                    yield Use(metric, resource, round(used), round(limit))
