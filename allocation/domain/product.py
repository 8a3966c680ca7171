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

    `stock` holds the batches that have room or that a command named. `lines` holds the lines that a command named, by
    order id; the product looks up other lines when it allocates or displaces them. A method that raises a Refusal has
    changed nothing. All products of a unit of work share one `changes`.
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
        """Return the ETA of the line's batch: None for warehouse stock and for a line without a batch."""
        return self.stock.batch(line.batchref).eta if line.batchref is not None else None

    def add_batch(self, batch: Batch) -> None:
        self.stock.add(batch)
        self._ledger.record(BatchCreated, batch=batch, change=Totals(available=batch.available))
        self._waiting_list.allocate_fitting()

    def repeat_batch(self, batch: Batch) -> None:
        """Publish the batch's last event again: a client has added the same batch twice."""
        self._ledger.repeat(batch)

    def change_batch_quantity(self, ref: str, qty: int) -> None:
        """Change the quantity. If the batch is now too small, it loses its latest lines, which are allocated anew."""
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
        """Change the ETA. Lines stay on the batch: the promise was the batch, not the day."""
        batch = self.stock.batch(ref)
        if batch.eta == eta:
            self._ledger.repeat(batch)
            return
        batch.eta = eta
        self.stock.sort()
        self._ledger.record(BatchEtaChanged, batch=batch)

    def allocate(self, wanted: OrderLine) -> None:
        """Give the line its preferred batch, or a place on the waiting list. Raises LineConflict."""
        line = self._active_line(wanted)
        if line is None:
            self._allocate(wanted)
        else:
            self._ledger.repeat(line)

    def can_allocate(self, wanted: OrderLine) -> bool:
        """Return whether `allocate` would leave the line on a batch. Raises LineConflict."""
        line = self._active_line(wanted)
        if line is None:
            return self.stock.preferred(wanted.qty) is not None
        return line.batchref is not None

    def deallocate(self, orderid: str) -> None:
        line = self._line(orderid)
        if line.status is Status.DEALLOCATED:
            self._ledger.repeat(line)
            return
        if line.status is Status.SHIPPED:
            raise LineShipped(orderid, self.sku)
        totals, batch = line.totals, self.stock.release(line)
        line.status = Status.DEALLOCATED
        self._ledger.record(Deallocated, line=line, batch=batch, change=line.totals - totals)
        if batch is not None:
            self._waiting_list.allocate_fitting()

    def change_line_quantity(self, orderid: str, qty: int) -> None:
        """Change the quantity. The line keeps its batch if that has room. Otherwise it gets another, or waits."""
        line = self._line(orderid)
        if line.status is Status.DEALLOCATED:
            raise LineDeallocated(orderid, self.sku)
        if line.qty == qty:
            self._ledger.repeat(line)
        elif line.status is Status.SHIPPED:
            raise LineShipped(orderid, self.sku)
        elif line.batchref is not None and self.stock.batch(line.batchref).can_allocate(qty - line.qty):
            self._resize(line, qty)
        else:
            self._requeue(line, qty)

    def ship(self, orderid: str) -> None:
        """Ship the line. From now on it never leaves its batch."""
        line = self._line(orderid)
        if line.status is Status.SHIPPED:
            self._ledger.repeat(line)
            return
        if line.status is not Status.ALLOCATED:
            raise LineNotAllocated(orderid, self.sku, line.status.value)
        batch = self.stock.batch(line.batchref)
        batch.ship(line)
        self._ledger.record(Shipped, line=line, batch=batch)

    def _active_line(self, wanted: OrderLine) -> TrackedLine | None:
        """Return the line if it exists and is not deallocated. Raises LineConflict if it has another quantity."""
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

    def _allocate(self, wanted: OrderLine) -> None:
        line = self.lines.setdefault(wanted.orderid, TrackedLine(wanted, arrived=0))
        line.order_line, line.arrived, line.status = wanted, self.version + 1, Status.WAITING
        batch = self.stock.allocate(line)
        why = self.stock.passed_over(batch)
        if batch is None:
            self._ledger.record(OutOfStock, line=line, why=why, change=line.totals)
        else:
            line.placed = self._ledger.record(Allocated, line=line, batch=batch, why=why, change=line.totals)

    def _resize(self, line: TrackedLine, qty: int) -> None:
        totals, freed = line.totals, line.qty - qty
        batch = self.stock.batch(line.batchref)
        batch.resize(line, qty)
        self._ledger.record(LineQuantityChanged, line=line, batch=batch, change=line.totals - totals)
        if freed > 0:
            self._waiting_list.allocate_fitting()

    def _requeue(self, line: TrackedLine, qty: int) -> None:
        totals, batch = line.totals, self.stock.release(line)
        line.change_quantity(qty)
        line.status = Status.WAITING
        self._ledger.record(LineQuantityChanged, line=line, batch=batch, change=line.totals - totals)
        self._waiting_list.allocate_fitting()
        self._waiting_list.record_out_of_stock([line])
