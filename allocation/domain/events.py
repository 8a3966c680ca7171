from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class BatchState:
    ref: str
    qty: int
    allocated: int
    shipped: int
    eta: date | None


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A batch that had stock, but too little for a line. `available` is the stock at that time, in units."""

    ref: str
    eta: date | None
    available: int


@dataclass(frozen=True, slots=True)
class LineState:
    """`place` orders the waiting lines of a product, the oldest first. It is None if the line does not wait."""

    orderid: str
    qty: int
    status: str
    batchref: str | None
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    available: int = 0
    waiting_lines: int = 0
    waiting_units: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.available + other.available,
            self.waiting_lines + other.waiting_lines,
            self.waiting_units + other.waiting_units,
        )

    def __sub__(self, other: "Totals") -> "Totals":
        return Totals(
            self.available - other.available,
            self.waiting_lines - other.waiting_lines,
            self.waiting_units - other.waiting_units,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """A change of a product. A reader needs only the latest event of each line, batch and product.

    `version` and `totals` are the product's version and totals after the event. `batches` and `line` hold the complete
    new state of each batch and line that the event changed.

    `why` holds the batches that had too little stock for the line, in order of preference. It is None if the line got
    the first batch with any stock. It is also None unless the event is Allocated or OutOfStock.
    """

    sku: str
    version: int
    totals: Totals
    batches: Sequence[BatchState]
    line: LineState | None
    why: Sequence[PassedOver] | None = None


@dataclass(frozen=True, slots=True)
class BatchCreated(Event):
    pass


@dataclass(frozen=True, slots=True)
class BatchQuantityChanged(Event):
    pass


@dataclass(frozen=True, slots=True)
class BatchEtaChanged(Event):
    pass


@dataclass(frozen=True, slots=True)
class Allocated(Event):
    pass


@dataclass(frozen=True, slots=True)
class OutOfStock(Event):
    pass


@dataclass(frozen=True, slots=True)
class Deallocated(Event):
    pass


@dataclass(frozen=True, slots=True)
class Displaced(Event):
    """The batch shrank, and the line returned to its former place on the waiting list.

    The same transaction also records Allocated or OutOfStock for the line.
    """


@dataclass(frozen=True, slots=True)
class LineQuantityChanged(Event):
    """The line has a new quantity. It kept its batch, or it waits at its former place on the waiting list.

    If the line waits, the same transaction also records Allocated or OutOfStock for the line.
    """


@dataclass(frozen=True, slots=True)
class Shipped(Event):
    pass
