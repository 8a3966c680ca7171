"""Events as they are logged and handed on: plain JSON data."""

from datetime import datetime

from allocation.domain.events import Event
from allocation.service_layer.states import as_text, candidates
from allocation.service_layer.unit_of_work import Message


def as_moment(at: datetime) -> str:
    """As all events of one commit tell it."""
    return at.isoformat(timespec="milliseconds")


def as_message(event: Event, at: str) -> Message:
    message: Message = {
        "type": type(event).__name__,
        "at": at,
        "sku": event.sku,
        "version": event.version,
        "available": event.totals.available,
        "waiting": {"lines": event.totals.waiting_lines, "units": event.totals.waiting_units},
        "batches": [
            {
                "ref": batch.ref,
                "qty": batch.qty,
                "allocated": batch.allocated,
                "shipped": batch.shipped,
                "eta": as_text(batch.eta),
            }
            for batch in event.batches
        ],
    }
    if event.line is not None:
        line = event.line
        message["line"] = {
            "orderid": line.orderid,
            "qty": line.qty,
            "status": line.status,
            "batchref": line.batchref,
        }
    if event.why is not None:
        message["why"] = candidates(event.why)
    return message
