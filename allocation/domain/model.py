from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol

from allocation.domain.errors import LineConflict
from allocation.domain.events import (
    Allocated,
    BatchCreated,
    BatchState,
    Event,
    LineState,
    OutOfStock,
    Totals,
)

NOTHING = Totals(available=0, waiting_lines=0, waiting_units=0)


@dataclass(frozen=True, slots=True)
class OrderLine:
    orderid: str
    sku: str
    qty: int


class Status(StrEnum):
    ALLOCATED = "allocated"
    WAITING = "waiting"


@dataclass(slots=True)
class Line:
    """What became of an order line: on one batch as a whole, or waiting in its place."""

    orderid: str
    sku: str
    qty: int
    arrived: int
    status: Status = Status.WAITING
    batchref: str | None = None
    version: int = 0

    @property
    def state(self) -> LineState:
        return LineState(self.orderid, self.qty, self.status.value, self.batchref)


@dataclass(slots=True)
class Batch:
    ref: str
    sku: str
    purchased: int
    eta: date | None
    created_qty: int
    created_eta: date | None
    allocated: int = 0
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
        return BatchState(self.ref, self.purchased, self.allocated, self.eta)


def preference(batch: Batch) -> tuple[bool, date, str]:
    """Warehouse stock first, then the earliest ETA, ties by reference."""
    return (batch.eta is not None, batch.eta or date.min, batch.ref)


class WaitingLines(Protocol):
    def oldest(self, product: "Product", after: int, largest: int, units: int) -> Sequence[Line]:
        """The next of the product's waiting lines behind place `after`, in the order of their arrival.

        No line above `largest` units, and of each quantity no more lines than `units` has room for: the others
        could not be placed in this pass. Empty when there are no more; a part of them otherwise.
        """


class Product:
    """The batches and order lines of a SKU: the aggregate, and the only consistency boundary.

    `batches` are those that have room, `lines` those that a command asked for; the waiting lines are looked up in
    `waiting` when stock is there for them. What a method touches bears the version of the event that it raised, and is
    kept in `touched` until it is stored. `repeated` has the versions of what a command asked for that was done before.
    """

    def __init__(
        self,
        sku: str,
        waiting: WaitingLines,
        *,
        version: int = 0,
        totals: Totals = NOTHING,
        batches: Iterable[Batch] = (),
        lines: Iterable[Line] = (),
    ) -> None:
        self.sku = sku
        self.version = version
        self.totals = totals
        self.batches = sorted(batches, key=preference)
        self.lines = {line.orderid: line for line in lines}
        self.events: list[Event] = []
        self.repeated: set[int] = set()
        self.touched: list[Line | Batch] = []
        self._waiting = waiting

    def add_batch(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.batches.sort(key=preference)
        self._count(available=batch.available)
        self._raise(BatchCreated, batch=batch)
        self._place_waiting_lines()

    def allocate(self, wanted: OrderLine) -> None:
        known = self.lines.get(wanted.orderid)
        if known is None:
            self._allocate(Line(wanted.orderid, wanted.sku, wanted.qty, arrived=self.version + 1))
        elif known.qty != wanted.qty:
            raise LineConflict(wanted.orderid, wanted.sku, wanted.qty, known.qty)
        else:
            self.repeat(known)

    def repeat(self, done: "Line | Batch") -> None:
        """Have the latest event of it handed on again: who asks twice at once shall see it as soon as the first."""
        self.repeated.add(done.version)

    def _allocate(self, line: Line) -> None:
        self.lines[line.orderid] = line
        batch = self._candidate(line.qty)
        if batch is not None:
            self._put(line, batch)
        else:
            self._count(waiting_lines=+1, waiting_units=line.qty)
            self._raise(OutOfStock, line=line)

    def _place_waiting_lines(self) -> None:
        after = 0
        while self.totals.waiting_lines and (largest := self._largest_room()):
            lines = self._waiting.oldest(self, after, largest, self.totals.available)
            if not lines:
                return
            for line in lines:
                batch = self._candidate(line.qty)
                if batch is not None:
                    self._count(waiting_lines=-1, waiting_units=-line.qty)
                    self._put(line, batch)
            after = lines[-1].arrived

    def _candidate(self, qty: int) -> Batch | None:
        return next((batch for batch in self.batches if batch.available >= qty), None)

    def _largest_room(self) -> int:
        return max((batch.available for batch in self.batches), default=0)

    def _put(self, line: Line, batch: Batch) -> None:
        batch.allocated += line.qty
        line.status, line.batchref = Status.ALLOCATED, batch.ref
        self._count(available=-line.qty)
        self._raise(Allocated, line=line, batch=batch)

    def _count(self, available: int = 0, waiting_lines: int = 0, waiting_units: int = 0) -> None:
        self.totals = Totals(
            self.totals.available + available,
            self.totals.waiting_lines + waiting_lines,
            self.totals.waiting_units + waiting_units,
        )

    def _raise(self, event: type[Event], *, line: Line | None = None, batch: Batch | None = None) -> None:
        self.version += 1
        for row in (line, batch):
            if row is not None:
                row.version = self.version
                self.touched.append(row)
        self.events.append(
            event(
                sku=self.sku,
                version=self.version,
                totals=self.totals,
                batches=(batch.state,) if batch is not None else (),
                line=line.state if line is not None else None,
            )
        )
