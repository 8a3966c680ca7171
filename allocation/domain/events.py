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
class Candidate:
    """A batch that a line did not get because it had too little stock: `available` units at that moment."""

    ref: str
    eta: date | None
    available: int


@dataclass(frozen=True, slots=True)
class LineState:
    orderid: str
    qty: int
    status: str
    batchref: str | None


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
    """What became true, in full: a reader that has the latest event about a thing needs no earlier one.

    `version` is the product's version after the event, and `totals` are the product's totals. `batches` and `line` hold
    the new state of what the event changed. `why` holds the batches that had too little stock for the line, the
    preferred one first. It is None if the line got the first batch that had any stock.
    """

    sku: str
    version: int
    totals: Totals
    batches: Sequence[BatchState]
    line: LineState | None
    why: Sequence[Candidate] | None = None


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
    """The batch shrank and the line returned to its place on the waiting list.

    The same transaction adds Allocated or OutOfStock for it.
    """


@dataclass(frozen=True, slots=True)
class LineQuantityChanged(Event):
    """The line has a new quantity. It kept its batch, or it returned to its place on the waiting list.

    In the second case, the same transaction adds Allocated or OutOfStock for it.
    """


@dataclass(frozen=True, slots=True)
class Shipped(Event):
    pass
