"""Tells what a unit of work would leave behind."""

from collections.abc import Iterable
from typing import Any

from allocation.domain.events import Event
from allocation.domain.model import Batch, Line
from allocation.service_layer.idempotency import Answer
from allocation.service_layer.states import batch_state, candidates, line_state
from allocation.service_layer.unit_of_work import UnitOfWork


def foreseen(answer: Answer, uow: UnitOfWork) -> dict[str, Any]:
    """What the command would answer, and the lines and batches that it touches as they would be then.

    {"answer": "OK" or its JSON,
     "lines": [{"orderid", "sku", "qty", "status", "batchref", "eta", "lost", "why"}, …],
     "batches": [{"ref", "sku", "qty", "allocated", "available", "eta"}, …]}

    `lost` is the batch that a line would be on no longer, `why` the batches that it would not get (see
    `candidates`); null where there is no such thing.
    """
    changes = uow.changes
    rows = {id(row): row for row in [*changes.touched, *changes.repeated]}.values()
    told = {(event.sku, event.line.orderid): event for event in changes.events if event.line is not None}
    lost = dict(batches_lost(changes.events))
    return {
        "answer": answer or "OK",
        "lines": [
            line_state(row, uow.products)
            | lost_and_why(row, lost.get((row.sku, row.orderid)), told.get((row.sku, row.orderid)))
            for row in rows
            if isinstance(row, Line)
        ],
        "batches": [batch_state(row) for row in rows if isinstance(row, Batch)],
    }


def batches_lost(events: Iterable[Event]) -> Iterable[tuple[tuple[str, str], str]]:
    """An event that touches a batch and leaves the line without one has taken it off."""
    for event in events:
        if event.line is not None and event.line.batchref is None and event.batches:
            yield (event.sku, event.line.orderid), event.batches[0].ref


def lost_and_why(line: Line, lost: str | None, last: Event | None) -> dict[str, Any]:
    why = last.why if last is not None else None
    return {"lost": lost if lost != line.batchref else None, "why": None if why is None else candidates(why)}
