"""Commands as NDJSON, one a line: each line's result in the same order, each line on its own feet.

The body is taken to its end, onto the disk, before the first line is handled. So one that is too large is refused with
nothing done, and a client that sends everything before it reads anything does not wait for a service that waits for it.
"""

import logging
from collections.abc import Iterator
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple

import orjson
from flask import Response, abort, request

from allocation.adapters import bodies
from allocation.adapters.bodies import shortened
from allocation.entrypoints import keys
from allocation.entrypoints.answers import COMMANDS, FAILURES, failure
from allocation.service_layer.idempotency import Done
from allocation.service_layer.messagebus import MessageBus, Outcome, Request

logger = logging.getLogger(__name__)

MEDIA_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
LARGEST_BODY = 100_000_000
LONGEST_LINE = 1_000_000
KEPT_IN_MEMORY = 1_000_000
READ_AT_ONCE = 65_536
LINES_AT_ONCE = 500


class Entry(NamedTuple):
    """A line: its command, or what is wrong with it. `id` is told with the result."""

    id: str | None
    success: int
    request: Request | None
    error: Exception | None


def handle(bus: MessageBus) -> Response:
    """The results are sent as they come, each part once its transactions are committed."""
    if request.mimetype not in MEDIA_TYPES:
        abort(415, f"The body must be {MEDIA_TYPES[0]}, not {request.mimetype or 'untyped'}")
    if keys.HEADER in request.headers:
        abort(400, f"{keys.HEADER} is for a single command: give each line an id")
    body = spooled(request.stream)
    scope = keys.scope(request.path, request.headers.get("Authorization"))
    answer = Response(results(lines(body), bus, scope), content_type=MEDIA_TYPES[0])
    answer.call_on_close(body.close)
    return answer


def spooled(stream: IO[bytes]) -> IO[bytes]:
    """The body to its end, in a file of which only the beginning is in memory."""
    file = SpooledTemporaryFile(max_size=KEPT_IN_MEMORY)  # noqa: SIM115  # Closed with the response.
    size = 0
    while data := stream.read(READ_AT_ONCE):
        size += len(data)
        if size > LARGEST_BODY:
            file.close()
            abort(413, f"The body has more than {LARGEST_BODY} bytes: nothing was done. Send it in parts")
        file.write(data)
    file.seek(0)
    return file


def lines(body: IO[bytes]) -> Iterator[bytes]:
    """Each line; of one that is too long the beginning, which is still too long."""
    while line := body.readline(LONGEST_LINE + 1):
        rest = line
        while not rest.endswith(b"\n") and (rest := body.readline(READ_AT_ONCE)):
            pass
        yield line


def results(lines: Iterator[bytes], bus: MessageBus, scope: str) -> Iterator[bytes]:
    while part := list(islice(lines, LINES_AT_ONCE)):
        entries = [entry(line, scope) for line in part]
        outcomes = bus.handle_requests(entry.request for entry in entries if entry.request is not None)
        told = [result(entry, entry.error or next(outcomes)) for entry in entries]
        failed = sum(one["status"] >= 500 for one in told)
        if failed:
            logger.warning("%s commands of a bulk could not be carried out", failed)
        yield b"".join(orjson.dumps(one) + b"\n" for one in told)


def entry(line: bytes, scope: str) -> Entry:
    known = None
    try:
        if len(line) > LONGEST_LINE:
            raise bodies.BadCommand([{"member": "body", "message": f"must have at most {LONGEST_LINE} bytes"}])
        envelope = bodies.parsed(bodies.Envelope, line)
        known = envelope.id
        shape, success = kind(envelope.type)
        command = bodies.from_json(shape, line)
        key = keys.key(scope, known, command) if known is not None else None
        return Entry(known, success, Request(command, key), None)
    except bodies.BadCommand as error:
        return Entry(known, 0, None, error)


def kind(name: object) -> tuple[type[bodies.Body], int]:
    """What COMMANDS says of it. Raises BadCommand."""
    if isinstance(name, str) and name in COMMANDS:
        return COMMANDS[name]
    reason = "is missing" if name is None else f"must be one of {', '.join(COMMANDS)}, not {shortened(name)}"
    raise bodies.BadCommand([{"member": "type", "message": reason}])


def result(entry: Entry, outcome: Outcome) -> dict[str, Any]:
    told: dict[str, Any] = {} if entry.id is None else {"id": entry.id}
    if isinstance(outcome, Done):
        return told | {"status": entry.success} | (outcome.answer or {})
    if type(outcome) not in FAILURES:
        logger.error("A line failed for a reason of our own", exc_info=outcome)
        return told | {"status": 500, "message": "The service failed. The reason is in its log."}
    status, message, members = failure(outcome)
    return told | {"status": status, "message": message} | members
