"""The HTTP status of each outcome, and the JSON of failures."""

from typing import Any, NamedTuple

from allocation.adapters.schemas.errors import InvalidInput
from allocation.adapters.schemas.outcomes import short_lines
from allocation.domain import commands, errors
from allocation.domain.commands import Command
from allocation.service_layer.idempotency import KeyReused, StillRunning
from allocation.service_layer.unit_of_work import StoreUnavailable

CREATED: set[type[Command]] = {commands.CreateBatch}

FAILURES: dict[type[Exception], int] = {
    InvalidInput: 400,
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
}

BUG = 500
RETRYABLE = (StillRunning, StoreUnavailable)
UNCONFIRMED = "The service could not confirm the command"
REPEAT = "You can send it again: a repeated command has no further effect"
PREVIEW_FAILED = "The preview failed. Send it again"


class Failure(NamedTuple):
    """An error as the client sees it. `members` are further members of the JSON body."""

    status: int
    message: str
    members: dict[str, Any]


def success_status(command: type[Command]) -> int:
    return 201 if command in CREATED else 202


def status_of(error: Exception) -> int:
    """Return the status of the error's type, or of its nearest base class in FAILURES.

    Return BUG if FAILURES has neither.
    """
    return next((FAILURES[base] for base in type(error).__mro__ if base in FAILURES), BUG)


def failure(error: Exception) -> Failure:
    """Describe an error of a command. The error must have a status in FAILURES."""
    message = unconfirmed(error) if isinstance(error, StoreUnavailable) else str(error)
    return Failure(status_of(error), message, problem_members(error))


def unconfirmed(error: StoreUnavailable) -> str:
    reason = "" if error.reason is None else f", because {error.reason}"
    return f"{UNCONFIRMED}{reason}. {REPEAT}"


def problem_members(error: Exception) -> dict[str, Any]:
    if isinstance(error, InvalidInput):
        return {"errors": error.errors}
    if isinstance(error, errors.OrderShort):
        return {"lines": short_lines(error)}
    return {}
