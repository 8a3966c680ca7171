"""What `/openapi.json` says about `POST /commands`: words, and the schemas of one line."""

from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, create_model

from allocation.adapters.schemas.commands import COMMANDS, Schema
from allocation.adapters.schemas.fields import Identifier
from allocation.entrypoints.http.bodies import END, LARGEST_BULK, NO_END, TOO_LARGE_BULK
from allocation.entrypoints.http.bulk import MEDIA_TYPES
from allocation.entrypoints.http.description.answers import BulkResult
from readmodel.web.description.operations import Operation, Reply, access_replies, refused
from readmodel.web.edge.access import COMMAND
from readmodel.web.edge.bodies import TOO_SLOW

ABOUT = f"""\
The body is NDJSON (newline-delimited JSON): each line is a JSON object with a command. The schema describes one line,
not the whole body. The service executes the commands in their order. The answer is NDJSON, too. It has one result for
each command, in the same order, and its schema describes one line.

- `type` is the name of the command. `id` is its idempotency key, and the result repeats it.
- A line that fails does not affect the others. Its result has the status that the command would get alone.
- If the request has no Content-Length, its last line must be `{{"type": "{END}"}}`. Otherwise, the service executes
  nothing. This line gets no result, and neither does a blank line.
- Consecutive commands of one type share transactions. So a body that is sorted by type is much faster.
"""
LINES: list[dict[str, Any]] = [
    {"type": "allocate", "orderid": "order-2", "sku": "RED-CHAIR", "qty": 1, "id": "a1"},
    {"type": "ship"},
]
RESULTS: list[dict[str, Any]] = [
    {"id": "a1", "status": 202},
    {"status": 400, "message": "orderid is missing", "errors": [{"member": "orderid", "message": "is missing"}]},
]
Id = Annotated[
    Identifier | None,
    Field(description="the idempotency key of the command", examples=["a1"]),
]


class EndLine(Schema):
    """The last line of a body without a Content-Length."""

    type: Literal["end"]


def bulk_operation() -> Operation:
    replies = {
        200: Reply("One result for each command", {MEDIA_TYPES[0]: BulkResult}, example=ndjson(RESULTS)),
        400: refused(400, "The body may be incomplete, or the request has an Idempotency-Key", NO_END),
        408: refused(408, "The body arrived too slowly", TOO_SLOW, name="TooSlow"),
        413: refused(413, f"The body has more than {LARGEST_BULK} bytes", TOO_LARGE_BULK),
        415: refused(415, "The body is not NDJSON", f"The body must be {MEDIA_TYPES[0]}, not untyped"),
        503: refused(
            503,
            "The server is handling too many bulks, or can't store the body",
            "The server is handling too many bulk requests. Nothing was executed",
            headers=("Retry-After",),
        ),
        **access_replies(COMMAND),
    }
    body = dict.fromkeys(MEDIA_TYPES, line_type())
    summary = "Executes many commands"
    return Operation("POST", "commands", summary, COMMAND, replies, ABOUT, body=body, example=ndjson(LINES))


def line_type() -> Any:
    """Return the type of a line: a command with its name, or the end line."""
    lines: list[Any] = [command_line(name, entry.schema) for name, entry in COMMANDS.items()]
    return Annotated[reduce(or_, [*lines, EndLine]), Field(discriminator="type")]


def command_line(name: str, schema: type[Schema]) -> type[Schema]:
    members: dict[str, Any] = {"type": (Literal[name], ...), "id": (Id, None)}
    title = "".join(word.title() for word in name.split("_"))
    return create_model(f"{title}Line", __base__=schema, **members)


def ndjson(lines: list[dict[str, Any]]) -> str:
    return "".join(orjson.dumps(line).decode() + "\n" for line in lines)
