from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Protocol

from allocation.domain.errors import LineConflict, UnknownLine
from allocation.domain.events import (
    Allocated,
    BatchCreated,
    BatchEtaChanged,
    BatchQuantityChanged,
    Deallocated,
    Displaced,
    Event,
    OutOfStock,
    Totals,
)
from allocation.domain.model import Batch, Line, OrderLine, Status, preference


class Lines(Protocol):
    """Where a product finds lines that no command has named. Each call sees what the product has done so far."""

    def oldest_waiting(self, product: "Product", after: int, largest: int, units: int) -> Sequence[Line]:
        """The next of the product's waiting lines behind place `after`, in the order of their arrival.

        No line above `largest` units, and of each quantity no more lines than `units` has room for: the others
        could not be placed in this pass. Empty when there are no more; a part of them otherwise.
        """

    def latest_on(self, product: "Product", batch: Batch, before: int, most: int) -> Sequence[Line]:
        """At most so many of the batch's lines, of those allocated before that version the latest first.

        Empty when there are no more; a part of them otherwise.
        """


class Product:
    """The batches and order lines of a SKU: the aggregate, and the only consistency boundary.

    `batches` are those that have room or are asked for, `lines` those that a command asked for; others are looked up
    when stock has to be given or taken. What a method touches bears the version of the event that it raised, and is
    kept in `touched` until it is stored. `repeated` has the versions of what a command asked for that was done before.
    """

    def __init__(
        self,
        sku: str,
        others: Lines,
        *,
        version: int = 0,
        totals: Totals = Totals(),
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
        self._others = others

    def add_batch(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.batches.sort(key=preference)
        self.totals = self.totals.plus(available=batch.available)
        self._raise(BatchCreated, batch=batch)
        self._place_waiting_lines()

    def change_batch_quantity(self, ref: str, qty: int) -> None:
        """Lines that the batch no longer has room for lose it, the latest allocated first, and are placed anew."""
        batch = self._batch(ref)
        if batch.purchased == qty:
            self.repeat(batch)
            return
        displaced = list(self._displace(batch, qty))
        self.totals = self.totals.plus(available=qty - batch.purchased)
        batch.purchased = qty
        self._raise(BatchQuantityChanged, batch=batch)
        self._place_waiting_lines()
        for line in displaced:
            if line.status is Status.WAITING:
                self._raise(OutOfStock, line=line)

    def change_batch_eta(self, ref: str, eta: date | None) -> None:
        """Lines stay where they are: the promise was the batch, not the day."""
        batch = self._batch(ref)
        if batch.eta == eta:
            self.repeat(batch)
            return
        batch.eta = eta
        self.batches.sort(key=preference)
        self._raise(BatchEtaChanged, batch=batch)

    def allocate(self, wanted: OrderLine) -> None:
        line = self.lines.get(wanted.orderid)
        if line is None or line.status is Status.DEALLOCATED:
            self._allocate(wanted)
        elif line.qty != wanted.qty:
            raise LineConflict(wanted.orderid, wanted.sku, wanted.qty, line.qty)
        else:
            self.repeat(line)

    def deallocate(self, orderid: str) -> None:
        line = self.lines.get(orderid)
        if line is None:
            raise UnknownLine(orderid, self.sku)
        if line.status is Status.DEALLOCATED:
            self.repeat(line)
        elif line.batchref is None:
            self.totals = self.totals.plus(waiting_lines=-1, waiting_units=-line.qty)
            line.status = Status.DEALLOCATED
            self._raise(Deallocated, line=line)
        else:
            batch = self._take_off(line, Status.DEALLOCATED)
            self._raise(Deallocated, line=line, batch=batch)
            self._place_waiting_lines()

    def repeat(self, done: "Line | Batch") -> None:
        """Have the latest event of it handed on again: who asks twice at once shall see it as soon as the first."""
        self.repeated.add(done.version)

    def _allocate(self, wanted: OrderLine) -> None:
        line = self.lines.setdefault(wanted.orderid, Line(wanted.orderid, wanted.sku, wanted.qty, arrived=0))
        line.qty, line.arrived, line.status = wanted.qty, self.version + 1, Status.WAITING
        batch = self._candidate(line.qty)
        if batch is not None:
            self._put(line, batch)
        else:
            self.totals = self.totals.plus(waiting_lines=+1, waiting_units=line.qty)
            self._raise(OutOfStock, line=line)

    def _displace(self, batch: Batch, qty: int) -> Iterator[Line]:
        """Send the lines that keep the batch above `qty` back to their places in the queue."""
        before = self.version + 1
        while batch.allocated > qty and (
            lines := self._others.latest_on(self, batch, before, most=batch.allocated - qty)
        ):
            for line in lines:
                if batch.allocated <= qty:
                    return
                before = line.version
                self._take_off(line, Status.WAITING)
                self.totals = self.totals.plus(waiting_lines=+1, waiting_units=line.qty)
                self._raise(Displaced, line=line, batch=batch)
                yield line

    def _place_waiting_lines(self) -> None:
        """Whenever stock came or was freed: the oldest first, each that fits."""
        after = 0
        while self.totals.waiting_lines and (largest := self._largest_room()):
            lines = self._others.oldest_waiting(self, after, largest, self.totals.available)
            if not lines:
                return
            for line in lines:
                batch = self._candidate(line.qty)
                if batch is not None:
                    self.totals = self.totals.plus(waiting_lines=-1, waiting_units=-line.qty)
                    self._put(line, batch)
            after = lines[-1].arrived

    def _candidate(self, qty: int) -> Batch | None:
        return next((batch for batch in self.batches if batch.available >= qty), None)

    def _largest_room(self) -> int:
        return max((batch.available for batch in self.batches), default=0)

    def _batch(self, ref: str | None) -> Batch:
        return next(batch for batch in self.batches if batch.ref == ref)

    def _put(self, line: Line, batch: Batch) -> None:
        batch.allocated += line.qty
        line.status, line.batchref = Status.ALLOCATED, batch.ref
        self.totals = self.totals.plus(available=-line.qty)
        self._raise(Allocated, line=line, batch=batch)

    def _take_off(self, line: Line, status: Status) -> Batch:
        batch = self._batch(line.batchref)
        batch.allocated -= line.qty
        line.status, line.batchref = status, None
        self.totals = self.totals.plus(available=+line.qty)
        return batch

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
