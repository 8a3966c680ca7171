"""The HTTP status of each outcome, and the JSON of failures."""

import logging
from typing import Any, NamedTuple
from urllib.parse import quote

from allocation.adapters.schemas.errors import InvalidInput
from allocation.adapters.schemas.outcomes import short_lines
from allocation.domain import commands, errors
from allocation.domain.commands import Command
from allocation.service_layer.idempotency import KeyReused, StillRunning
from allocation.service_layer.unit_of_work import Busy, StoreUnavailable
from readmodel.web.answers import RETRY_LATER, Answer, Headers, problem

logger = logging.getLogger(__name__)

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
DOT_SEGMENTS = {".", ".."}
HISTORY = "/history"
"""Below an order, this end of a path selects its history."""
UNCONFIRMED = "The service could not confirm the command"
REPEAT = "You can send it again: a repeated command has no further effect"
LOCKED = f"Another transaction holds a lock that the command needs. The command was not executed. {REPEAT}"
PREVIEW_FAILED = "The preview failed. Send it again"


class Failure(NamedTuple):
    """An error as the client sees it. `members` are further members of the JSON body."""

    status: int
    message: str
    members: dict[str, Any]


def location_of(command: Command) -> Headers:
    """Return the header with the path of the view that shows the effect of the command.

    Clients and proxies shorten a path with a dot segment. So there is no header for such a name.
    """
    match command:
        case commands.CreateBatch() | commands.ChangeBatchQuantity() | commands.ChangeBatchEta():
            start, name = "/batches/", command.ref
        case _:
            start, name = "/orders?id=" if command.orderid.endswith(HISTORY) else "/orders/", command.orderid
    return () if DOT_SEGMENTS.intersection(name.split("/")) else (("location", f"{start}{quote(name, safe='')}"),)


def success_status(command: type[Command]) -> int:
    return 201 if command in CREATED else 202


def status_of(error: Exception) -> int:
    """Return the status of the error's type, or of its nearest base class in FAILURES.

    Return BUG if FAILURES has neither.
    """
    return next((FAILURES[base] for base in type(error).__mro__ if base in FAILURES), BUG)


def failure(error: Exception) -> Failure:
    """Describe an error of a command. The error must have a status in FAILURES."""
    return Failure(status_of(error), message_of(error), problem_members(error))


def message_of(error: Exception) -> str:
    if isinstance(error, Busy):
        return LOCKED
    return unconfirmed(error) if isinstance(error, StoreUnavailable) else str(error)


def unconfirmed(error: StoreUnavailable) -> str:
    reason = "" if error.reason is None else f", because {error.reason}"
    return f"{UNCONFIRMED}{reason}. {REPEAT}"


def problem_members(error: Exception) -> dict[str, Any]:
    if isinstance(error, InvalidInput):
        return {"errors": error.errors}
    if isinstance(error, errors.OrderShort):
        return {"lines": short_lines(error)}
    return {}


def failure_answer(error: Exception, correlation_id: str) -> Answer:
    """Return the answer for an error of a command. Raise an error that has no status: it is a bug, or a Problem."""
    if status_of(error) == BUG:
        raise error
    if isinstance(error, StoreUnavailable):
        logger.warning("The service could not confirm a command: %s", error, extra={"correlation_id": correlation_id})
    status, message, members = failure(error)
    return problem(status, message, RETRY_LATER if isinstance(error, RETRYABLE) else (), **members)
