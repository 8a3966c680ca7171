"""Looks up lines in a store that holds all lines of its products in memory."""

from collections.abc import Mapping, Sequence
from operator import attrgetter

from allocation.domain.model import Batch, Status, TrackedLine


class LinesInMemory:
    """The LineLookup of one product. `lines` maps each order id to its line."""

    def __init__(self, lines: Mapping[str, TrackedLine]) -> None:
        self._lines = lines

    def require_line(self, orderid: str, sku: str) -> None:
        """Do nothing: every line is in memory."""

    # This method ignores `units`, because the product skips the lines that no longer fit.
    def oldest_waiting(self, sku: str, after: int, largest: int, units: int) -> Sequence[TrackedLine]:  # noqa: ARG002
        waiting = [line for line in self._lines.values() if line.status is Status.WAITING]
        fitting = [line for line in waiting if line.arrived > after and line.qty <= largest]
        return sorted(fitting, key=attrgetter("arrived"))

    def latest_on(self, batch: Batch, before: int, most: int) -> Sequence[TrackedLine]:
        allocated = [line for line in self._lines.values() if line.status is Status.ALLOCATED]
        on_it = [line for line in allocated if line.batchref == batch.ref and line.placed < before]
        return sorted(on_it, key=attrgetter("placed"), reverse=True)[:most]
