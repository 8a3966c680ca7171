from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from allocation.domain.events import BatchState, LineState


@dataclass(frozen=True, slots=True)
class OrderLine:
    orderid: str
    sku: str
    qty: int


class Status(StrEnum):
    ALLOCATED = "allocated"
    WAITING = "waiting"
    DEALLOCATED = "deallocated"
    SHIPPED = "shipped"


@dataclass(slots=True)
class Line:
    """What became of an order line: on one batch as a whole, waiting in its place, taken back, or shipped.

    `arrived`, `placed` and `version` are versions of its product: when the line first came, when it got the batch that
    it is on, and when it was last changed.
    """

    orderid: str
    sku: str
    qty: int
    arrived: int
    status: Status = Status.WAITING
    batchref: str | None = None
    placed: int = 0
    version: int = 0

    @property
    def state(self) -> LineState:
        return LineState(self.orderid, self.qty, self.status, self.batchref)


@dataclass(slots=True)
class Batch:
    """`purchased` is all that was ever bought into it, `allocated` what of it is promised, `shipped` what has left."""

    ref: str
    sku: str
    purchased: int
    eta: date | None
    created_qty: int
    created_eta: date | None
    allocated: int = 0
    shipped: int = 0
    version: int = 0

    @classmethod
    def create(cls, ref: str, sku: str, qty: int, eta: date | None) -> "Batch":
        return cls(ref, sku, qty, eta, created_qty=qty, created_eta=eta)

    def was_created_as(self, sku: str, qty: int, eta: date | None) -> bool:
        return (self.sku, self.created_qty, self.created_eta) == (sku, qty, eta)

    @property
    def available(self) -> int:
        return self.purchased - self.allocated

    @property
    def state(self) -> BatchState:
        return BatchState(self.ref, self.purchased, self.allocated, self.shipped, self.eta)


def preference(batch: Batch) -> tuple[bool, date, str]:
    """Warehouse stock first, then the earliest ETA, ties by reference."""
    return (batch.eta is not None, batch.eta or date.min, batch.ref)
