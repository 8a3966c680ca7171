"""Converts events to plain JSON data, as the log stores them."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from allocation.domain import events
from allocation.domain.changes import UNKNOWN, Origin
from allocation.domain.events import BatchState, Event, LineState, PassedOver
from allocation.service_layer.unit_of_work import LoggedEvent

EVENT_NAMES: dict[type[Event], str] = {
    events.BatchCreated: "BatchCreated",
    events.BatchQuantityChanged: "BatchQuantityChanged",
    events.BatchEtaChanged: "BatchEtaChanged",
    events.Allocated: "Allocated",
    events.OutOfStock: "OutOfStock",
    events.Deallocated: "Deallocated",
    events.Displaced: "Displaced",
    events.LineQuantityChanged: "LineQuantityChanged",
    events.Shipped: "Shipped",
}
"""The stored name of each event. It never changes, because the log keeps every event."""


def moment_as_text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def event_as_json(event: Event, at: str, epoch: int, origin: Origin = UNKNOWN) -> LoggedEvent:
    """Return the event as plain JSON data. `at` is the time of its commit, as `moment_as_text` formats it.

    `actor` is the name of the access token that sent the command. `correlation_id` is that of its request. If one of
    them is unknown, the event has no such member.
    """
    data: LoggedEvent = {
        "type": EVENT_NAMES[type(event)],
        "at": at,
        "epoch": epoch,
        "sku": event.sku,
        "version": event.version,
        "available": event.totals.available,
        "waiting": {"lines": event.totals.waiting_lines, "units": event.totals.waiting_units},
        "batches": [batch_state(batch) for batch in event.batches],
    }
    if origin.actor is not None:
        data["actor"] = origin.actor
    if origin.correlation_id is not None:
        data["correlation_id"] = origin.correlation_id
    if event.line is not None:
        data["line"] = line_state(event.line)
    if event.why is not None:
        data["why"] = passed_over_batches(event.why)
    return data


def batch_state(batch: BatchState) -> dict[str, Any]:
    return {
        "ref": batch.ref,
        "qty": batch.qty,
        "allocated": batch.allocated,
        "shipped": batch.shipped,
        "eta": eta_as_text(batch.eta),
    }


def line_state(line: LineState) -> dict[str, Any]:
    state = {"orderid": line.orderid, "qty": line.qty, "status": line.status, "batchref": line.batchref}
    return state if line.place is None else state | {"place": line.place}


def passed_over_batches(why: Iterable[PassedOver]) -> list[dict[str, Any]]:
    """Return [{"ref", "eta", "available"}, …], the preferred batch first."""
    return [{"ref": batch.ref, "eta": eta_as_text(batch.eta), "available": batch.available} for batch in why]


def eta_as_text(eta: date | None) -> str | None:
    return eta.isoformat() if eta is not None else None
