"""Bulk requests: NDJSON with one command per line. The response has one result per command, in the same order.

A failed line does not affect the other lines. Blank lines and the end line get no result.

The server stores the whole body before it executes the first line. So it refuses an oversized or incomplete body before
it executes any command. The client can send its whole body before it reads the response.
"""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import IO, Any, NamedTuple

import orjson

from allocation.adapters.schemas import results
from allocation.adapters.schemas.commands import COMMANDS, CommandSchema, Envelope, parse
from allocation.adapters.schemas.errors import InvalidInput, invalid, shorten
from allocation.domain.changes import Origin
from allocation.entrypoints.http.bodies import (
    LARGEST_BULK,
    LONGEST_LINE,
    ONE_PARSES,
    TOO_LARGE_BULK,
    read_lines,
    require_end,
)
from allocation.entrypoints.http.commands import origin_of
from allocation.entrypoints.http.consistency import CreateToken
from allocation.entrypoints.http.database_outage import DatabaseOutage
from allocation.entrypoints.http.idempotency_keys import HEADER, key_of, key_scope
from allocation.entrypoints.http.responses import BUG, failure, status_of, success_status
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done, Outcome
from readmodel.web.answers import Problem, StreamedAnswer
from readmodel.web.edge.access import COMMAND
from readmodel.web.edge.bodies import require_media_type, spool_body
from readmodel.web.edge.bulkheads import Bulkhead
from readmodel.web.edge.observer import UNOBSERVED, Observer
from readmodel.web.edge.request import Request

logger = logging.getLogger(__name__)

MEDIA_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
FAILED = {"status": BUG, "message": "The service failed. Its log has the reason."}
LINES_AT_ONCE, BYTES_AT_ONCE = 500, 1_000_000


class Caller(NamedTuple):
    """The route of the request, and the origin of its commands."""

    route: str
    origin: Origin

    @property
    def log_fields(self) -> dict[str, str | None]:
        return {"correlation_id": self.origin.correlation_id}


class BulkLine(NamedTuple):
    """A parsed line of the body: a request or an error. A successful request gets the HTTP status `status`."""

    id: str | None
    request: CommandRequest | InvalidInput
    status: int = 0


class Bulk:
    """The endpoint of bulk requests. Each one keeps a thread from before its body until its last result."""

    methods = ("POST",)
    scope = COMMAND

    def __init__(
        self,
        bus: MessageBus,
        threads: Bulkhead,
        create: CreateToken,
        outage: DatabaseOutage,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._bus = bus
        self._outage = outage
        self._observer = observer
        self._create_token = create
        self._threads = threads

    async def respond(self, request: Request) -> StreamedAnswer:
        """Execute the lines. Send each result after the commit of its transaction. Raise a Problem if it can't."""
        require_media_type(request, *MEDIA_TYPES)
        if HEADER.lower() in request.headers:
            raise Problem(400, f"{HEADER} is for a single command. Add an id to each line instead")
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._threads.free)
            body = stack.enter_context(await spool_body(request, LARGEST_BULK, TOO_LARGE_BULK))
            await self._threads.call(require_end, body, request.content_length)
            parts = self._results(body, Caller(request.path, origin_of(request)))
            return StreamedAnswer(200, (("content-type", MEDIA_TYPES[0]),), parts, resources=stack.pop_all())

    async def _results(self, body: IO[bytes], caller: Caller) -> AsyncIterator[bytes]:
        parts = bulk_results(read_lines(body), self._bus, caller, self._create_token, self._outage, self._observer)
        try:
            while part := await self._threads.call(next, parts, b""):
                yield part
        except Exception:
            logger.exception("A bulk request failed because of a bug", extra=caller.log_fields)
            yield orjson.dumps(FAILED) + b"\n"  # Otherwise the client would take the results for complete.


def in_parts(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Split the lines into parts of at most LINES_AT_ONCE lines and about BYTES_AT_ONCE bytes.

    The server keeps only the commands and results of one part in memory.
    """
    part, size = list[bytes](), 0
    for line in lines:
        part.append(line)
        size += len(line)
        if len(part) == LINES_AT_ONCE or size >= BYTES_AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def bulk_results(
    lines: Iterator[bytes],
    bus: MessageBus,
    caller: Caller,
    create: CreateToken,
    outage: DatabaseOutage,
    observer: Observer = UNOBSERVED,
) -> Iterator[bytes]:
    """Execute the lines. Yield the results of each part, with a line of JSON for each line."""
    for part in in_parts(lines):
        with ONE_PARSES:
            parsed = [parse_line(line, caller) for line in part]
        outcomes = bus.handle_requests(line.request for line in parsed if isinstance(line.request, CommandRequest))
        found = [next(outcomes) if isinstance(line.request, CommandRequest) else line.request for line in parsed]
        for outcome in found:
            outage.note(outcome)
        with ONE_PARSES:
            results = [line_result(line, outcome, create, caller) for line, outcome in zip(parsed, found, strict=True)]
            text = b"".join(orjson.dumps(result) + b"\n" for result in results)
        statuses = Counter(result["status"] for result in results)
        observer.answered_lines(statuses)
        failed = sum(number for status, number in statuses.items() if status >= 500)
        yield text
        if failed:
            message = "%s of %s lines in a part of a bulk request failed with a 5xx status"
            logger.warning(message, failed, len(part), extra=caller.log_fields)


def parse_line(line: bytes, caller: Caller) -> BulkLine:
    line_id = None
    try:
        if len(line) > LONGEST_LINE:
            raise invalid("body", f"must have at most {LONGEST_LINE} bytes")
        envelope = parse(Envelope, line)
        line_id = envelope.id
        schema = schema_of(envelope.type)
        command = schema.from_json(line)
        key = key_of(key_scope(caller.route, caller.origin.actor), line_id, command) if line_id is not None else None
        return BulkLine(line_id, CommandRequest(command, key, caller.origin), success_status(schema.command))
    except InvalidInput as error:
        return BulkLine(line_id, error)


def schema_of(name: object) -> CommandSchema:
    """Return the schema of the command with this name. Raise InvalidInput if the name is missing or unknown."""
    if isinstance(name, str) and name in COMMANDS:
        return COMMANDS[name]
    if name is None:
        raise invalid("type", "is missing")
    raise invalid("type", f"must be one of {', '.join(COMMANDS)}, not {shorten(name)}")


def line_result(line: BulkLine, outcome: Outcome, create: CreateToken, caller: Caller) -> dict[str, Any]:
    result: dict[str, Any] = {} if line.id is None else {"id": line.id}
    if isinstance(outcome, Done):
        result["status"] = line.status
        if outcome.written is not None:
            result["token"] = create(outcome.written)
        return result if outcome.result is None else result | results.order_result(outcome.result)
    if status_of(outcome) == BUG:
        logger.error("A line of a bulk request failed because of a bug", exc_info=outcome, extra=caller.log_fields)
        return result | FAILED
    status, message, members = failure(outcome)
    return result | {"status": status, "message": message} | members
