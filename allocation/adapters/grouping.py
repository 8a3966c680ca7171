"""Groups the batches or the lines of several products."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from allocation.domain.model import Batch, TrackedLine

BatchOrLine = TypeVar("BatchOrLine", Batch, TrackedLine)


def by_sku(rows: Iterable[BatchOrLine]) -> defaultdict[str, list[BatchOrLine]]:
    """Map each SKU to its rows in their order. A SKU without rows has an empty list."""
    groups = defaultdict[str, list[BatchOrLine]](list)
    for row in rows:
        groups[row.sku].append(row)
    return groups
