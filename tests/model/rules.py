"""The rules of the domain a second time: an independent model that judges the service.

The model is simple on purpose. For each command, it searches every batch and every line. It shares the commands, the
refusals and OrderLine with `allocation.domain`, but no data structure and no algorithm. So the same fault is unlikely
to be in both.
"""

from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any

from allocation.domain import commands as do
from allocation.domain import errors
from allocation.domain.model import OrderLine


@dataclass
class ModelBatch:
    """`created` is the command that created the batch. `qty` and `eta` are its present values."""

    created: do.CreateBatch
    qty: int
    eta: date | None


@dataclass
class ModelLine:
    """`arrived` is the line's place on the waiting list. `placed` is the time at which it got its present batch."""

    orderid: str
    sku: str
    qty: int
    arrived: int
    status: str = "waiting"
    batchref: str | None = None
    placed: int = 0


class Model:
    """All batches by reference, and all lines by order id and SKU."""

    time = count(1)  # All models share it, because Python no longer copies iterators of itertools.

    def __init__(self) -> None:
        self.batches: dict[str, ModelBatch] = {}
        self.lines: dict[tuple[str, str], ModelLine] = {}

    def handle(self, command: do.Command) -> dict[str, Any] | None:
        """Execute the command and return its answer as JSON data. If it raises a Refusal, nothing has changed."""
        match command:
            case do.CreateBatch():
                self.create_batch(command)
            case do.ChangeBatchQuantity(ref) | do.ChangeBatchEta(ref) if ref not in self.batches:
                raise errors.UnknownBatch(ref)
            case do.ChangeBatchQuantity(ref, qty):
                self.change_batch_quantity(self.batches[ref], ref, qty)
            case do.ChangeBatchEta(ref, eta):
                self.batches[ref].eta = eta
            case do.Allocate(orderid, sku, qty):
                self.allocate(orderid, sku, qty)
            case do.Deallocate() | do.ChangeLineQuantity() | do.Ship() if (
                command.orderid,
                command.sku,
            ) not in self.lines:
                raise errors.UnknownLine(command.orderid, command.sku)
            case do.Deallocate(orderid, sku):
                self.deallocate(self.lines[orderid, sku])
            case do.ChangeLineQuantity(orderid, sku, qty):
                self.change_line_quantity(self.lines[orderid, sku], qty)
            case do.Ship(orderid, sku) if self.lines[orderid, sku].status in ("waiting", "deallocated"):
                raise errors.LineNotAllocated(orderid, sku, self.lines[orderid, sku].status)
            case do.Ship(orderid, sku):
                self.lines[orderid, sku].status = "shipped"
            case do.CancelOrder(orderid):
                self.cancel_order(orderid)
            case do.AllocateOrder():
                return self.allocate_order(command)
        return None

    def create_batch(self, command: do.CreateBatch) -> None:
        if command.ref not in self.batches:
            self.batches[command.ref] = ModelBatch(command, command.qty, command.eta)
            self.allocate_waiting_lines(command.sku)
        elif self.batches[command.ref].created != command:
            raise errors.BatchConflict(command.ref)

    def change_batch_quantity(self, batch: ModelBatch, ref: str, qty: int) -> None:
        if qty < (shipped := self.units_on(ref, "shipped")):
            raise errors.BatchShipped(ref, qty, shipped)
        batch.qty = qty
        while self.room(batch) < 0:
            allocated = [line for line in self.lines.values() if line.batchref == ref and line.status == "allocated"]
            displaced = max(allocated, key=lambda line: line.placed)
            displaced.status, displaced.batchref = "waiting", None
        self.allocate_waiting_lines(batch.created.sku)

    def allocate(self, orderid: str, sku: str, qty: int) -> None:
        if all(batch.created.sku != sku for batch in self.batches.values()):
            raise errors.UnknownSku(sku)
        line = self.lines.get((orderid, sku))
        if line is None or line.status == "deallocated":
            self.lines[orderid, sku] = ModelLine(orderid, sku, qty, arrived=next(self.time))
            self.allocate_waiting_lines(sku)
        elif line.qty != qty:
            raise errors.LineConflict(orderid, sku, qty, line.qty)

    def deallocate(self, line: ModelLine) -> None:
        if line.status == "shipped":
            raise errors.LineShipped(line.orderid, line.sku)
        line.status, line.batchref = "deallocated", None
        self.allocate_waiting_lines(line.sku)

    def change_line_quantity(self, line: ModelLine, qty: int) -> None:
        if line.status == "deallocated":
            raise errors.LineDeallocated(line.orderid, line.sku)
        if line.status == "shipped" and line.qty != qty:
            raise errors.LineShipped(line.orderid, line.sku)
        line.qty = qty
        if line.batchref is not None and self.room(self.batches[line.batchref]) < 0:
            line.status, line.batchref = "waiting", None
        self.allocate_waiting_lines(line.sku)

    def cancel_order(self, orderid: str) -> None:
        lines = [line for line in self.lines.values() if line.orderid == orderid]
        if not lines:
            raise errors.UnknownOrder(orderid)
        if shipped := sorted(line.sku for line in lines if line.status == "shipped"):
            raise errors.OrderShipped(orderid, shipped)
        for line in lines:
            self.deallocate(line)

    def allocate_order(self, command: do.AllocateOrder) -> dict[str, Any]:
        """Allocate the lines and return their outcomes. Raises OrderShort with the short lines, but without reasons."""
        trial = deepcopy(self)
        lines = [trial.allocate_line(command.orderid, sku, qty) for sku, qty in command.lines]
        if command.all_or_nothing and (short := [line for line in lines if line["batchref"] is None]):
            raise errors.OrderShort(
                command.orderid,
                [errors.ShortLine(OrderLine(command.orderid, line["sku"], line["qty"]), "") for line in short],
            )
        vars(self).update(vars(trial))
        return {"orderid": command.orderid, "lines": lines}

    def allocate_line(self, orderid: str, sku: str, qty: int) -> dict[str, Any]:
        outcome = {"sku": sku, "qty": qty, "status": "refused", "batchref": None, "eta": None}
        try:
            self.allocate(orderid, sku, qty)
        except errors.Refusal as refusal:
            return outcome | {"message": str(refusal)}
        line = self.lines[orderid, sku]
        eta = self.batches[line.batchref].eta if line.batchref else None
        return outcome | {"status": line.status, "batchref": line.batchref, "eta": eta.isoformat() if eta else None}

    def allocate_waiting_lines(self, sku: str) -> None:
        """Allocate each waiting line that fits, in the order of arrival."""
        waiting = [line for line in self.lines.values() if line.sku == sku and line.status == "waiting"]
        for line in sorted(waiting, key=lambda line: line.arrived):
            own = [batch for batch in self.batches.values() if batch.created.sku == sku]
            fitting = [batch for batch in own if self.room(batch) >= line.qty]
            if fitting:
                line.batchref = min(fitting, key=self.preference).created.ref
                line.status, line.placed = "allocated", next(self.time)

    def units_on(self, ref: str, *statuses: str) -> int:
        return sum(line.qty for line in self.lines.values() if line.batchref == ref and line.status in statuses)

    def preference(self, batch: ModelBatch) -> tuple[bool, date, str]:
        """Sort by warehouse stock first, then by ETA, then by reference."""
        return batch.eta is not None, batch.eta or date.min, batch.created.ref

    def room(self, batch: ModelBatch) -> int:
        return batch.qty - self.units_on(batch.created.ref, "allocated", "shipped")
