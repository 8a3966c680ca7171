"""What `/openapi.json` says about the commands and their previews. `COMMANDS` has the schemas of their bodies."""

from typing import Any

from allocation.adapters.schemas.commands import COMMANDS, CommandSchema
from allocation.adapters.schemas.errors import invalid
from allocation.adapters.schemas.fields import LONGEST_IDENTIFIER
from allocation.domain.commands import AllocateOrder, Command
from allocation.entrypoints.http.bodies import LARGEST_BODY, LARGEST_ORDER, TOO_LARGE
from allocation.entrypoints.http.description.answers import BadRequest, Conflict, OrderResult, Preview
from allocation.entrypoints.http.description.refusals import refusals_of
from allocation.entrypoints.http.idempotency_keys import HEADER
from allocation.entrypoints.http.responses import LOCKED, PREVIEW_FAILED, problem_members, success_status
from allocation.service_layer.idempotency import IdempotencyKey, KeyReused
from readmodel.web import parameters
from readmodel.web.answers import JSON
from readmodel.web.description.operations import (
    Operation,
    Operations,
    Problem,
    Reply,
    Text,
    access_replies,
    refused,
)
from readmodel.web.edge.access import COMMAND
from readmodel.web.edge.bodies import NO_LENGTH, TOO_SLOW
from readmodel.web.parameters import Parameter

TEXT = "text/plain"
PRINTABLE = r"[!-+\--~]"
"""A character of an idempotency key, which has no comma. It may have spaces, but not at its ends: HTTP removes them."""
KEY = Parameter(
    HEADER,
    {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_IDENTIFIER,
        "pattern": f"^{PRINTABLE}({PRINTABLE}| )*{PRINTABLE}$|^{PRINTABLE}$",
    },
    "A later request with the same key and the same body gets the same answer, and has no further effect",
    "5fb3f0a6",
    parameters.HEADER,
)
INVALID = invalid("qty", "is missing")
BAD_BODY = "The body is cut, or is no such command: the message names each bad member and its value"
REUSED = str(KeyReused(IdempotencyKey(scope="", value=str(KEY.example), fingerprint="")))
STILL_RUNNING = f"A command with the same {HEADER} is still running"
SUMMARIES = {
    "add_batch": "Adds a batch of stock. Waiting lines that fit get it, the oldest first",
    "change_batch_quantity": "Changes the quantity of a batch. If it is now too small, it loses its latest lines",
    "change_batch_eta": "Changes the ETA of a batch. Its lines stay on it",
    "allocate": "Allocates an order line to a batch. A line that fits on no batch waits",
    "deallocate": "Frees the stock of a line. Waiting lines get it",
    "change_line_quantity": "Changes the quantity of a line. If its batch has no room, it gets another one, or waits",
    "ship": "Ships a line. From now on, it never leaves its batch",
    "allocate_order": "Allocates up to 1,000 lines of an order",
    "cancel_order": "Deallocates every line of an order",
}


def command_operations() -> Operations:
    return {
        **{f"/{name}": command(name, schema) for name, schema in COMMANDS.items()},
        **{f"/preview/{name}": preview(name, schema) for name, schema in COMMANDS.items()},
    }


def command(name: str, schema: CommandSchema) -> Operation:
    contents = {JSON: OrderResult} if schema.command is AllocateOrder else {TEXT: Text}
    done = Reply("The service has executed the command", contents, ("Location", "Allocation-Token"))
    refusals = refusal_replies(schema.command)
    replies = {
        success_status(schema.command): done,
        **body_replies(schema.command),
        **refusals,
        409: with_still_running(refusals.get(409)),
        422: refused(
            422,
            f"The {HEADER} was used with another body",
            REUSED,
            name="KeyReused",
        ),
        503: refused(
            503,
            "The service could not confirm the command. The client can send it again",
            LOCKED,
            headers=("Retry-After",),
            name="Unconfirmed",
        ),
    }
    return Operation(
        "POST", "commands", SUMMARIES[name], COMMAND, replies, parameters=[KEY], body={JSON: schema.schema}
    )


def preview(name: str, schema: CommandSchema) -> Operation:
    replies = {
        200: Reply("What the command would do", {JSON: Preview}),
        **body_replies(schema.command),
        **refusal_replies(schema.command),
        503: refused(503, "The preview failed", PREVIEW_FAILED, headers=("Retry-After",), name="PreviewFailed"),
    }
    summary = f"Shows what /{name} would do, and changes nothing"
    return Operation("POST", "previews", summary, COMMAND, replies, body={JSON: schema.schema})


def body_replies(command: type[Command]) -> dict[int, Reply]:
    """Return the answers to a body that the service can't use, and to a caller without permission."""
    large = command is AllocateOrder
    largest = LARGEST_ORDER if large else LARGEST_BODY
    return {
        400: refused(400, BAD_BODY, str(INVALID), shape=BadRequest, members=problem_members(INVALID), name="BadBody"),
        408: refused(408, "The body arrived too slowly", TOO_SLOW, name="TooSlow"),
        411: refused(411, "The request has no Content-Length", NO_LENGTH, name="NoLength"),
        413: refused(
            413,
            f"The body has more than {largest} bytes",
            TOO_LARGE.format(largest),
            name="OrderTooLarge" if large else "TooLarge",
        ),
        415: refused(415, f"The body is not {JSON}", f"The body must be {JSON}, not untyped", name="NotJson"),
        **access_replies(COMMAND),
    }


def refusal_replies(command: type[Command]) -> dict[int, Reply]:
    """Return the answers to a command that the rules refuse."""
    replies = dict[int, Reply]()
    for status, found in refusals_of(command):
        reasons = [BAD_BODY] if status == 400 else []
        text = "; or: ".join([*reasons, *found.meanings])
        shape: Any = {400: BadRequest, 409: Conflict}.get(status, Problem)
        replies[status] = refused(status, text, found.message, shape=shape, members=found.members)
    return replies


def with_still_running(found: Reply | None) -> Reply:
    """Return the answer with status 409, which also means that a command with the same key is running."""
    if found is None:
        return refused(409, STILL_RUNNING, STILL_RUNNING, headers=("Retry-After",), name="StillRunning")
    return found._replace(description=f"{found.description}; or: {STILL_RUNNING}", headers=("Retry-After",))
