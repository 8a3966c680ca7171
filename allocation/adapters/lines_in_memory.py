"""The port `Lines` for a store that has all the lines of its products in memory."""

from collections.abc import Sequence
from operator import attrgetter

from allocation.domain.model import Batch, Line, Status
from allocation.domain.product import Product


class LinesInMemory:
    """The lines of a product that was never stored, or that has all of them: they are looked through."""

    # Lines beyond `units` are handed over as well: they cost nothing here, and are passed over.
    def oldest_waiting(self, product: Product, after: int, largest: int, units: int) -> Sequence[Line]:  # noqa: ARG002
        waiting = [line for line in product.lines.values() if line.status is Status.WAITING]
        fitting = [line for line in waiting if line.arrived > after and line.qty <= largest]
        return sorted(fitting, key=attrgetter("arrived"))

    def latest_on(self, product: Product, batch: Batch, before: int, most: int) -> Sequence[Line]:
        on_it = [line for line in product.lines.values() if line.batchref == batch.ref and line.version < before]
        return sorted(on_it, key=attrgetter("version"), reverse=True)[:most]
