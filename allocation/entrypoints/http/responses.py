"""The HTTP status of each outcome, and the JSON of failures."""

from typing import Any, NamedTuple

from allocation.adapters.schemas.errors import InvalidCommand
from allocation.adapters.schemas.outcomes import short_lines
from allocation.domain import commands, errors
from allocation.domain.commands import Command
from allocation.service_layer.idempotency import KeyReused, StillRunning
from allocation.service_layer.unit_of_work import Busy, StoreUnavailable

CREATED: set[type[Command]] = {commands.CreateBatch}

FAILURES: dict[type[Exception], int] = {
    InvalidCommand: 400,
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
UNCONFIRMED = "The command was not confirmed. You can send it again: it will not be executed twice"


class Failure(NamedTuple):
    """`members` are the members of the problem besides its message."""

    status: int
    message: str
    members: dict[str, Any]


def success_status(command: type[Command]) -> int:
    return 201 if command in CREATED else 202


def failure(error: Exception) -> Failure:
    """Describe an error of one of the types in FAILURES."""
    message = UNCONFIRMED if isinstance(error, StoreUnavailable) else str(error)
    return Failure(FAILURES[type(error)], message, problem_members(error))


def problem_members(error: Exception) -> dict[str, Any]:
    if isinstance(error, InvalidCommand):
        return {"errors": error.errors}
    if isinstance(error, errors.OrderShort):
        return {"lines": short_lines(error)}
    return {}
