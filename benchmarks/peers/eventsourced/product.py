"""The aggregate of a SKU. Its state follows from its events."""

from typing import Self
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.domain import Aggregate, event


class OutOfStock(Exception):
    """No batch has room for the line."""


class Lines:
    """Maps the order id of each line to its batch.

    The library copies a cached aggregate while another thread may add a line to it. An ordinary deep copy would then
    fail, because the dictionary changes its size. A shallow copy of a dictionary of strings is one step.
    """

    def __init__(self, batches: dict[str, str] | None = None) -> None:
        self.batches = batches or {}

    def __deepcopy__(self, _: object) -> Self:
        return type(self)(dict(self.batches))


class Product(Aggregate):
    @event("Created")
    def __init__(self, sku: str) -> None:
        self.sku = sku
        self.available: dict[str, int] = {}
        self.etas: dict[str, str] = {}
        self.lines = Lines()

    @staticmethod
    def create_id(sku: str) -> UUID:
        return uuid5(NAMESPACE_URL, f"/products/{sku}")

    @event("BatchAdded")
    def add_batch(self, ref: str, qty: int, eta: str = "") -> None:
        """Add a batch. Its ETA is a date in ISO format, or empty for warehouse stock."""
        self.available[ref] = qty
        self.etas[ref] = eta

    def allocate(self, orderid: str, qty: int) -> str:
        """Return the reference of the line's batch: warehouse stock before ETAs. Raises OutOfStock."""
        if orderid in self.lines.batches:
            return self.lines.batches[orderid]
        for ref in sorted(self.available, key=self._preference):
            if self.available[ref] >= qty:
                self._put_on_batch(orderid, qty, ref)
                return ref
        raise OutOfStock(self.sku)

    @event("Allocated")
    def _put_on_batch(self, orderid: str, qty: int, ref: str) -> None:
        self.available[ref] -= qty
        self.lines.batches[orderid] = ref

    def _preference(self, ref: str) -> tuple[str, str]:
        return self.etas[ref], ref
