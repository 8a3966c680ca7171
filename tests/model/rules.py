"""The rules of the domain once more, from their words alone: everything is found by looking at everything."""

from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any

from allocation.domain import commands as do
from allocation.domain import errors
from allocation.domain.model import OrderLine


@dataclass
class Batch:
    created: do.CreateBatch
    qty: int
    eta: date | None


@dataclass
class Line:
    """`arrived` is its place in the queue, `placed` when it got the batch that it is on."""

    orderid: str
    sku: str
    qty: int
    arrived: int
    status: str = "waiting"
    batchref: str | None = None
    placed: int = 0


class Model:
    time = count(1)

    def __init__(self) -> None:
        self.batches: dict[str, Batch] = {}
        self.lines: dict[tuple[str, str], Line] = {}

    def handle(self, command: do.Command) -> dict[str, Any] | None:
        """The command's answer. Raises its refusal: then nothing has changed."""
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
            self.batches[command.ref] = Batch(command, command.qty, command.eta)
            self.go_through_the_queue(command.sku)
        elif self.batches[command.ref].created != command:
            raise errors.BatchConflict(command.ref)

    def change_batch_quantity(self, batch: Batch, ref: str, qty: int) -> None:
        if qty < (shipped := self.units_on(ref, "shipped")):
            raise errors.BatchShipped(ref, qty, shipped)
        batch.qty = qty
        while self.room(batch) < 0:
            victims = [line for line in self.lines.values() if line.batchref == ref and line.status == "allocated"]
            latest = max(victims, key=lambda line: line.placed)
            latest.status, latest.batchref = "waiting", None
        self.go_through_the_queue(batch.created.sku)

    def allocate(self, orderid: str, sku: str, qty: int) -> None:
        if all(batch.created.sku != sku for batch in self.batches.values()):
            raise errors.UnknownSku(sku)
        line = self.lines.get((orderid, sku))
        if line is None or line.status == "deallocated":
            self.lines[orderid, sku] = Line(orderid, sku, qty, arrived=next(self.time))
            self.go_through_the_queue(sku)
        elif line.qty != qty:
            raise errors.LineConflict(orderid, sku, qty, line.qty)

    def deallocate(self, line: Line) -> None:
        if line.status == "shipped":
            raise errors.LineShipped(line.orderid, line.sku)
        line.status, line.batchref = "deallocated", None
        self.go_through_the_queue(line.sku)

    def change_line_quantity(self, line: Line, qty: int) -> None:
        if line.status == "deallocated":
            raise errors.LineDeallocated(line.orderid, line.sku)
        if line.status == "shipped" and line.qty != qty:
            raise errors.LineShipped(line.orderid, line.sku)
        line.qty = qty
        if line.batchref is not None and self.room(self.batches[line.batchref]) < 0:
            line.status, line.batchref = "waiting", None
        self.go_through_the_queue(line.sku)

    def cancel_order(self, orderid: str) -> None:
        lines = [line for line in self.lines.values() if line.orderid == orderid]
        if not lines:
            raise errors.UnknownOrder(orderid)
        if shipped := sorted(line.sku for line in lines if line.status == "shipped"):
            raise errors.OrderShipped(orderid, shipped)
        for line in lines:
            self.deallocate(line)

    def allocate_order(self, command: do.AllocateOrder) -> dict[str, Any]:
        """OrderShort has the outcome of each short line; how its reasons are worded is not for the model to know."""
        trial = deepcopy(self)
        told = [trial.outcome(command.orderid, sku, qty) for sku, qty in command.lines]
        if command.all_or_nothing and (short := [line for line in told if line["batchref"] is None]):
            raise errors.OrderShort(
                command.orderid,
                [errors.ShortLine(OrderLine(command.orderid, line["sku"], line["qty"]), "") for line in short],
            )
        vars(self).update(vars(trial))
        return {"orderid": command.orderid, "lines": told}

    def outcome(self, orderid: str, sku: str, qty: int) -> dict[str, Any]:
        told = {"sku": sku, "qty": qty, "status": "refused", "batchref": None, "eta": None}
        try:
            self.allocate(orderid, sku, qty)
        except errors.Refusal as refusal:
            return told | {"message": str(refusal)}
        line = self.lines[orderid, sku]
        eta = self.batches[line.batchref].eta if line.batchref else None
        return told | {"status": line.status, "batchref": line.batchref, "eta": eta.isoformat() if eta else None}

    def go_through_the_queue(self, sku: str) -> None:
        waiting = [line for line in self.lines.values() if line.sku == sku and line.status == "waiting"]
        for line in sorted(waiting, key=lambda line: line.arrived):
            if fits := [one for one in self.batches.values() if one.created.sku == sku and self.room(one) >= line.qty]:
                preferred = min(fits, key=lambda one: (one.eta is not None, one.eta or date.min, one.created.ref))
                line.status, line.batchref, line.placed = "allocated", preferred.created.ref, next(self.time)

    def units_on(self, ref: str, *statuses: str) -> int:
        return sum(line.qty for line in self.lines.values() if line.batchref == ref and line.status in statuses)

    def room(self, batch: Batch) -> int:
        return batch.qty - self.units_on(batch.created.ref, "allocated", "shipped")
