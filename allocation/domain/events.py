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
    """A batch that a line was not put on, and what it had left then."""

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

    def plus(self, available: int = 0, waiting_lines: int = 0, waiting_units: int = 0) -> "Totals":
        return Totals(
            self.available + available, self.waiting_lines + waiting_lines, self.waiting_units + waiting_units
        )


@dataclass(frozen=True, slots=True)
class Event:
    """What became true, in full: whoever has the latest event of a thing needs no earlier one.

    `why` has the batches that a line was not put on, the preferred first, where it waits or got none of the first.
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
    """The line's batch shrank: the line went back to its place in the queue. What it got instead is told next."""


@dataclass(frozen=True, slots=True)
class LineQuantityChanged(Event):
    """The line has its batch still, or went to its place in the queue: what it got instead is told next."""


@dataclass(frozen=True, slots=True)
class Shipped(Event):
    pass
