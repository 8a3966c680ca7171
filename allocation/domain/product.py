"""The aggregate: the batches and order lines of one SKU."""

from collections.abc import Iterable
from datetime import date

from allocation.domain.changes import Changes
from allocation.domain.errors import (
    BatchShipped,
    LineConflict,
    LineDeallocated,
    LineNotAllocated,
    LineShipped,
    UnknownLine,
)
from allocation.domain.events import (
    Allocated,
    BatchCreated,
    BatchEtaChanged,
    BatchQuantityChanged,
    Deallocated,
    LineQuantityChanged,
    OutOfStock,
    Shipped,
    Totals,
)
from allocation.domain.ledger import Ledger
from allocation.domain.model import Batch, OrderLine, Status, TrackedLine
from allocation.domain.stock import Stock
from allocation.domain.waiting_list import LineLookup, WaitingList


class Product:
    """The batches and order lines of one SKU: the aggregate, and the only consistency boundary.

    `stock` holds at least the batches with room and the batches that a command needs. `lines` maps order ids to the
    lines that a command names and the lines that the product has looked up. If a method raises a Refusal, the product
    is unchanged. All products of a unit of work share one `changes`.
    """

    def __init__(
        self,
        sku: str,
        lookup: LineLookup,
        changes: Changes,
        *,
        version: int = 0,
        totals: Totals = Totals(),
        batches: Iterable[Batch] = (),
        lines: dict[str, TrackedLine] | None = None,
    ) -> None:
        self.sku = sku
        self.stock = Stock(batches)
        self.lines = {} if lines is None else lines
        self._lookup = lookup
        self._ledger = Ledger(sku, version, totals, changes)
        self._waiting_list = WaitingList(self._ledger, self.stock, lookup)

    @property
    def version(self) -> int:
        return self._ledger.version

    @property
    def totals(self) -> Totals:
        return self._ledger.totals

    def eta_of(self, line: TrackedLine) -> date | None:
        """Return the ETA of the line's batch. Return None for warehouse stock, or if the line has no batch."""
        return self.stock.batch_of(line).eta if line.batchref is not None else None

    def add_batch(self, batch: Batch) -> None:
        self.stock.add(batch)
        self._ledger.record(BatchCreated, batch=batch, change=Totals(available=batch.available))
        self._waiting_list.allocate_fitting()

    def repeat_batch(self, batch: Batch) -> None:
        """Have the commit publish the batch's last event again, because a client has added the same batch twice."""
        self._ledger.repeat(batch)

    def change_batch_quantity(self, ref: str, qty: int) -> None:
        """Change the quantity. Displace lines if necessary. Raise BatchShipped if more than `qty` units are shipped."""
        batch = self.stock.batch(ref)
        if batch.purchased == qty:
            self._ledger.repeat(batch)
            return
        if batch.shipped > qty:
            raise BatchShipped(ref, qty, batch.shipped)
        displaced = list(self._waiting_list.displace(batch, qty))
        added, batch.purchased = qty - batch.purchased, qty
        self._ledger.record(BatchQuantityChanged, batch=batch, change=Totals(available=added))
        self._waiting_list.allocate_fitting()
        self._waiting_list.record_out_of_stock(displaced)

    def change_batch_eta(self, ref: str, eta: date | None) -> None:
        """Change the ETA. Lines stay on the batch, because the service promises a batch and not a date."""
        batch = self.stock.batch(ref)
        if batch.eta == eta:
            self._ledger.repeat(batch)
            return
        batch.eta = eta
        self.stock.sort()
        self._ledger.record(BatchEtaChanged, batch=batch)

    def allocate(self, wanted: OrderLine) -> None:
        """Allocate the line, or let it wait. Raise LineConflict if the line exists with another quantity."""
        line = self._active_line(wanted)
        if line is None:
            self._allocate_new(wanted)
        else:
            self._ledger.repeat(line)

    def can_allocate(self, wanted: OrderLine) -> bool:
        """Return True if `allocate` would leave the line on a batch. Raise LineConflict as `allocate` does."""
        line = self._active_line(wanted)
        if line is None:
            return self.stock.choose_batch(wanted.qty) is not None
        return line.batchref is not None

    def deallocate(self, orderid: str) -> None:
        """Deallocate the line. Raise UnknownLine if it does not exist, and LineShipped if it is shipped."""
        line = self._line(orderid)
        if line.status is Status.DEALLOCATED:
            self._ledger.repeat(line)
            return
        if line.status is Status.SHIPPED:
            raise LineShipped(orderid, self.sku)
        totals, batch = line.contribution, self.stock.release(line)
        line.status = Status.DEALLOCATED
        self._ledger.record(Deallocated, line=line, batch=batch, change=line.contribution - totals)
        if batch is not None:
            self._waiting_list.allocate_fitting()

    def change_line_quantity(self, orderid: str, qty: int) -> None:
        """Change the quantity. If the line's batch has no room, the line gets another batch or waits.

        Raise UnknownLine, LineDeallocated or LineShipped if the quantity can't change.
        """
        line = self._line(orderid)
        if line.status is Status.DEALLOCATED:
            raise LineDeallocated(orderid, self.sku)
        if line.qty == qty:
            self._ledger.repeat(line)
        elif line.status is Status.SHIPPED:
            raise LineShipped(orderid, self.sku)
        elif line.batchref is not None and self.stock.batch_of(line).can_allocate(qty - line.qty):
            self._resize(line, qty)
        else:
            self._return_to_waiting_list(line, qty)

    def ship(self, orderid: str) -> None:
        """Ship the line. Raise UnknownLine if it does not exist, and LineNotAllocated if it has no batch."""
        line = self._line(orderid)
        if line.status is Status.SHIPPED:
            self._ledger.repeat(line)
            return
        if line.status is not Status.ALLOCATED:
            raise LineNotAllocated(orderid, self.sku, line.status.value)
        batch = self.stock.batch_of(line)
        batch.ship(line)
        self._ledger.record(Shipped, line=line, batch=batch)

    def _active_line(self, wanted: OrderLine) -> TrackedLine | None:
        """Return the line, or None if it is missing or deallocated. Raise LineConflict if it has another quantity."""
        self._lookup.require_line(wanted.orderid, self.sku)
        line = self.lines.get(wanted.orderid)
        if line is None or line.status is Status.DEALLOCATED:
            return None
        if line.order_line != wanted:
            raise LineConflict(wanted.orderid, wanted.sku, wanted.qty, line.qty)
        return line

    def _line(self, orderid: str) -> TrackedLine:
        self._lookup.require_line(orderid, self.sku)
        if orderid not in self.lines:
            raise UnknownLine(orderid, self.sku)
        return self.lines[orderid]

    def _allocate_new(self, wanted: OrderLine) -> None:
        line = self.lines.setdefault(wanted.orderid, TrackedLine(wanted, arrived=0))
        line.order_line, line.arrived, line.status = wanted, self.version + 1, Status.WAITING
        batch = self.stock.allocate(line)
        why = self.stock.passed_over(batch)
        if batch is None:
            self._ledger.record(OutOfStock, line=line, why=why, change=line.contribution)
        else:
            line.placed = self._ledger.record(Allocated, line=line, batch=batch, why=why, change=line.contribution)

    def _resize(self, line: TrackedLine, qty: int) -> None:
        totals, freed, batch = line.contribution, line.qty - qty, self.stock.batch_of(line)
        batch.resize(line, qty)
        self._ledger.record(LineQuantityChanged, line=line, batch=batch, change=line.contribution - totals)
        if freed > 0:
            self._waiting_list.allocate_fitting()

    def _return_to_waiting_list(self, line: TrackedLine, qty: int) -> None:
        totals, batch = line.contribution, self.stock.release(line)
        line.change_quantity(qty)
        line.status = Status.WAITING
        self._ledger.record(LineQuantityChanged, line=line, batch=batch, change=line.contribution - totals)
        self._waiting_list.allocate_fitting()
        self._waiting_list.record_out_of_stock([line])
