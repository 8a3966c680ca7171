"""Order lines and batches."""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from allocation.domain.events import BatchState, LineState, Totals


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A SKU and a quantity that a customer ordered. The order id and the SKU together identify the line."""

    orderid: str
    sku: str
    qty: int


class Status(StrEnum):
    ALLOCATED = "allocated"
    WAITING = "waiting"
    DEALLOCATED = "deallocated"
    SHIPPED = "shipped"


@dataclass(slots=True)
class TrackedLine:
    """An order line with its status and its batch.

    `arrived`, `placed` and `version` are versions of the line's product:

    - `arrived`: when the line was last added; also its place on the waiting list
    - `placed`: when the line last got a batch, or 0 if it never had a batch
    - `version`: when the line last changed
    """

    order_line: OrderLine
    arrived: int
    status: Status = Status.WAITING
    batchref: str | None = None
    placed: int = 0
    version: int = 0

    @property
    def orderid(self) -> str:
        return self.order_line.orderid

    @property
    def sku(self) -> str:
        return self.order_line.sku

    @property
    def qty(self) -> int:
        return self.order_line.qty

    @property
    def contribution(self) -> Totals:
        """The numbers that this line adds to its product's totals. A line on a batch adds a negative `available`."""
        if self.batchref is not None:
            return Totals(available=-self.qty)
        if self.status is Status.WAITING:
            return Totals(waiting_lines=1, waiting_units=self.qty)
        return Totals()

    @property
    def state(self) -> LineState:
        place = self.arrived if self.status is Status.WAITING else None
        return LineState(self.orderid, self.qty, self.status, self.batchref, place)

    def change_quantity(self, qty: int) -> None:
        self.order_line = replace(self.order_line, qty=qty)


@dataclass(slots=True)
class Batch:
    """Stock of one SKU that arrives together.

    - `purchased`: the batch's quantity, in units
    - `eta`: the date of arrival, or None for warehouse stock
    - `created_qty`, `created_eta`: the quantity and the ETA of the command that created the batch
    - `allocated`: the units that belong to lines, including shipped lines
    - `shipped`: the units that belong to shipped lines
    - `version`: the product's version when the batch last changed
    """

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

    def can_allocate(self, qty: int) -> bool:
        return self.available >= qty

    def allocate(self, line: TrackedLine) -> None:
        self.allocated += line.qty
        line.status, line.batchref = Status.ALLOCATED, self.ref

    def release(self, line: TrackedLine) -> None:
        """Remove the line from this batch. The caller must set the line's new status."""
        self.allocated -= line.qty
        line.batchref = None

    def resize(self, line: TrackedLine, qty: int) -> None:
        """Change the quantity of a line on this batch. The caller must check that the batch has room."""
        self.allocated += qty - line.qty
        line.change_quantity(qty)

    def ship(self, line: TrackedLine) -> None:
        self.shipped += line.qty
        line.status = Status.SHIPPED


def preference(batch: Batch) -> tuple[bool, date, str]:
    """Return the sort key of the batch: warehouse stock first, then the earliest ETA, then the reference."""
    return (batch.eta is not None, batch.eta or date.min, batch.ref)
