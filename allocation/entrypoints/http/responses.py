"""What each command is called outside, and how its outcome is told."""

from typing import Any, NamedTuple

from allocation.adapters.schemas import commands as bodies
from allocation.adapters.schemas.errors import BadCommand
from allocation.domain import errors
from allocation.service_layer.idempotency import KeyReused, StillRunning
from allocation.service_layer.unit_of_work import Busy, StoreUnavailable

COMMANDS: dict[str, tuple[type[bodies.Body], int]] = {
    "add_batch": (bodies.CreateBatch, 201),
    "change_batch_quantity": (bodies.ChangeBatchQuantity, 202),
    "change_batch_eta": (bodies.ChangeBatchEta, 202),
    "allocate": (bodies.Allocate, 202),
    "deallocate": (bodies.Deallocate, 202),
    "change_line_quantity": (bodies.ChangeLineQuantity, 202),
    "ship": (bodies.Ship, 202),
    "allocate_order": (bodies.AllocateOrder, 202),
    "cancel_order": (bodies.CancelOrder, 202),
}

FAILURES: dict[type[Exception], int] = {
    BadCommand: 400,
    errors.UnknownSku: 400,
    errors.UnknownLine: 404,
    errors.UnknownOrder: 404,
    errors.UnknownBatch: 404,
    errors.LineConflict: 409,
    errors.LineShipped: 409,
    errors.LineDeallocated: 409,
    errors.LineNotAllocated: 409,
    errors.OrderShipped: 409,
    errors.OrderShort: 409,
    errors.BatchConflict: 409,
    errors.BatchShipped: 409,
    StillRunning: 409,
    KeyReused: 422,
    StoreUnavailable: 503,
    Busy: 503,
}

TRY_AGAIN = (StillRunning, StoreUnavailable)
UNCONFIRMED = "The command was not confirmed. It can be sent again without doing it twice"


class Failure(NamedTuple):
    """`members` are told besides the message."""

    status: int
    message: str
    members: dict[str, Any]


def failure(error: Exception) -> Failure:
    """How one of FAILURES is told."""
    message = UNCONFIRMED if isinstance(error, StoreUnavailable) else str(error)
    return Failure(FAILURES[type(error)], message, members(error))


def members(error: Exception) -> dict[str, Any]:
    if isinstance(error, BadCommand):
        return {"errors": error.errors}
    if isinstance(error, errors.OrderShort):
        return {"lines": error.lines}
    return {}
