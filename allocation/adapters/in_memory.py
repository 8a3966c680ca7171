"""The port `Lines` for a store that has all the lines of its products in memory."""

from collections.abc import Mapping, Sequence
from operator import attrgetter

from allocation.domain.model import Batch, Line, Status


class LinesInMemory:
    """All the lines of a product, by order: they are looked through."""

    def __init__(self, lines: Mapping[str, Line]) -> None:
        self._lines = lines

    # Lines beyond `units` are handed over as well: they cost nothing here, and are passed over.
    def oldest_waiting(self, sku: str, after: int, largest: int, units: int) -> Sequence[Line]:  # noqa: ARG002
        waiting = [line for line in self._lines.values() if line.status is Status.WAITING]
        fitting = [line for line in waiting if line.arrived > after and line.qty <= largest]
        return sorted(fitting, key=attrgetter("arrived"))

    def latest_on(self, batch: Batch, before: int, most: int) -> Sequence[Line]:
        allocated = [line for line in self._lines.values() if line.status is Status.ALLOCATED]
        on_it = [line for line in allocated if line.batchref == batch.ref and line.placed < before]
        return sorted(on_it, key=attrgetter("placed"), reverse=True)[:most]
