"""The rules of allocation. `Product` is the aggregate, and its version number detects concurrent changes."""

from dataclasses import dataclass
from datetime import date


class OutOfStock(Exception):
    """No batch has room for the line."""


class UnknownSku(Exception):
    """The SKU never had a batch."""


@dataclass(unsafe_hash=True)
class OrderLine:
    """A mutable dataclass: the ORM sets attributes of the objects that it maps."""

    orderid: str
    sku: str
    qty: int


class Batch:
    def __init__(self, ref: str, sku: str, qty: int, eta: date | None = None) -> None:
        self.ref = ref
        self.sku = sku
        self.eta = eta
        self.purchased = qty
        self.lines: set[OrderLine] = set()

    @property
    def available(self) -> int:
        return self.purchased - sum(line.qty for line in self.lines)

    def has_room_for(self, line: OrderLine) -> bool:
        return self.available >= line.qty


class Product:
    def __init__(self, sku: str) -> None:
        self.sku = sku
        self.version = 0
        self.batches: list[Batch] = []

    def allocate(self, line: OrderLine) -> str:
        """Return the reference of the line's batch: warehouse stock before ETAs. Raises OutOfStock."""
        for batch in sorted(self.batches, key=preference):
            if batch.has_room_for(line):
                batch.lines.add(line)
                self.version += 1
                return batch.ref
        raise OutOfStock(line.sku)


def preference(batch: Batch) -> tuple[date, str]:
    return batch.eta or date.min, batch.ref
