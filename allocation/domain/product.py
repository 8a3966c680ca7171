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
    BatchCreated,
    BatchEtaChanged,
    BatchQuantityChanged,
    Deallocated,
    LineQuantityChanged,
    Shipped,
    Totals,
)
from allocation.domain.ledger import Ledger
from allocation.domain.model import Batch, Line, OrderLine, Status
from allocation.domain.stock import Stock
from allocation.domain.waiting_list import Lines, Queue


class Product:
    """The batches and order lines of a SKU: the aggregate, and the only consistency boundary.

    Its stock are the batches that have room or are asked for, `lines`, by order, those that a command asked for; others
    are looked up when stock has to be given or taken. A method that refuses has changed nothing; what the others have
    done is in `changes`, which the products of a unit of work share.
    """

    def __init__(
        self,
        sku: str,
        others: Lines,
        changes: Changes,
        *,
        version: int = 0,
        totals: Totals = Totals(),
        batches: Iterable[Batch] = (),
        lines: dict[str, Line] | None = None,
    ) -> None:
        self.sku = sku
        self.stock = Stock(batches)
        self.lines = {} if lines is None else lines
        self.ledger = Ledger(sku, version, totals, self.stock, changes)
        self._queue = Queue(self.ledger, others)

    @property
    def version(self) -> int:
        return self.ledger.version

    @property
    def totals(self) -> Totals:
        return self.ledger.totals

    def add_batch(self, batch: Batch) -> None:
        self.stock.add(batch)
        self.ledger.count(available=batch.available)
        self.ledger.record(BatchCreated, batch=batch)
        self._queue.place()

    def change_batch_quantity(self, ref: str, qty: int) -> None:
        """Lines that the batch no longer has room for lose it, the latest allocated first, and are placed anew."""
        batch = self.stock.batch(ref)
        if batch.purchased == qty:
            self.repeat(batch)
            return
        if batch.shipped > qty:
            raise BatchShipped(ref, qty, batch.shipped)
        displaced = list(self._queue.displace(batch, qty))
        self.ledger.count(available=qty - batch.purchased)
        batch.purchased = qty
        self.ledger.record(BatchQuantityChanged, batch=batch)
        self._queue.place()
        self._queue.tell(displaced)

    def change_batch_eta(self, ref: str, eta: date | None) -> None:
        """Lines stay where they are: the promise was the batch, not the day."""
        batch = self.stock.batch(ref)
        if batch.eta == eta:
            self.repeat(batch)
            return
        batch.eta = eta
        self.stock.sort()
        self.ledger.record(BatchEtaChanged, batch=batch)

    def allocate(self, wanted: OrderLine) -> None:
        line = self._asked_before(wanted)
        if line is None:
            self._allocate(wanted)
        else:
            self.repeat(line)

    def would_have_a_batch(self, wanted: OrderLine) -> bool:
        """Whether the line is on a batch once it is allocated. Raises what `allocate` would."""
        line = self._asked_before(wanted)
        if line is None:
            return self.stock.preferred(wanted.qty) is not None
        return line.batchref is not None

    def deallocate(self, orderid: str) -> None:
        line = self._line(orderid)
        if line.status is Status.DEALLOCATED:
            self.repeat(line)
            return
        if line.status is Status.SHIPPED:
            raise LineShipped(orderid, self.sku)
        batch = self.ledger.release(line)
        line.status = Status.DEALLOCATED
        self.ledger.record(Deallocated, line=line, batch=batch)
        if batch is not None:
            self._queue.place()

    def change_line_quantity(self, orderid: str, qty: int) -> None:
        """The line keeps its batch where that has room, else gets another, else waits in its old place."""
        line = self._line(orderid)
        if line.status is Status.DEALLOCATED:
            raise LineDeallocated(orderid, self.sku)
        if line.qty == qty:
            self.repeat(line)
        elif line.status is Status.SHIPPED:
            raise LineShipped(orderid, self.sku)
        elif line.batchref is not None and self.stock.batch(line.batchref).available >= qty - line.qty:
            self._resize(line, qty)
        else:
            self._requeue(line, qty)

    def ship(self, orderid: str) -> None:
        """From now on the line keeps its batch, whatever comes."""
        line = self._line(orderid)
        if line.status is Status.SHIPPED:
            self.repeat(line)
            return
        if line.status is not Status.ALLOCATED:
            raise LineNotAllocated(orderid, self.sku, line.status.value)
        batch = self.stock.batch(line.batchref)
        batch.shipped += line.qty
        line.status = Status.SHIPPED
        self.ledger.record(Shipped, line=line, batch=batch)

    def repeat(self, done: Line | Batch) -> None:
        """Have the latest event of it handed on again: who asks twice at once shall see it as soon as the first."""
        self.ledger.changes.repeated.append(done)

    def _asked_before(self, wanted: OrderLine) -> Line | None:
        line = self.lines.get(wanted.orderid)
        if line is None or line.status is Status.DEALLOCATED:
            return None
        if line.qty != wanted.qty:
            raise LineConflict(wanted.orderid, wanted.sku, wanted.qty, line.qty)
        return line

    def _line(self, orderid: str) -> Line:
        if orderid not in self.lines:
            raise UnknownLine(orderid, self.sku)
        return self.lines[orderid]

    def _allocate(self, wanted: OrderLine) -> None:
        line = self.lines.setdefault(wanted.orderid, Line(wanted.orderid, wanted.sku, wanted.qty, arrived=0))
        line.qty, line.arrived = wanted.qty, self.version + 1
        batch = self.stock.preferred(line.qty)
        if batch is not None:
            self.ledger.put(line, batch)
        else:
            self.ledger.enqueue(line)
            self._queue.tell([line])

    def _resize(self, line: Line, qty: int) -> None:
        batch, freed = self.stock.batch(line.batchref), line.qty - qty
        batch.allocated -= freed
        self.ledger.count(available=freed)
        line.qty = qty
        self.ledger.record(LineQuantityChanged, line=line, batch=batch)
        if freed > 0:
            self._queue.place()

    def _requeue(self, line: Line, qty: int) -> None:
        batch = self.ledger.release(line)
        line.qty = qty
        self.ledger.enqueue(line)
        self.ledger.record(LineQuantityChanged, line=line, batch=batch)
        self._queue.place()
        self._queue.tell([line])
