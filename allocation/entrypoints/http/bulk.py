"""Commands as NDJSON, one a line: each line's result in the same order, each line on its own feet.

The body is taken to its end, onto the disk, before the first line is handled. So one that is too large is refused with
nothing done, and a client that sends everything before it reads anything does not wait for a service that waits for it.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from threading import BoundedSemaphore
from typing import IO, Any, NamedTuple

import orjson
from flask import Response, abort, request

from allocation.adapters.schemas import commands as bodies
from allocation.adapters.schemas.errors import BadCommand, shortened
from allocation.entrypoints.http import idempotency_keys as keys
from allocation.entrypoints.http.responses import COMMANDS, FAILURES, failure
from allocation.service_layer.idempotency import Done
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.requests import Outcome, Request
from readmodel.web.problems import RETRY_LATER, problem

logger = logging.getLogger(__name__)

MEDIA_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
LARGEST_BODY = 100_000_000
LONGEST_LINE = 1_000_000
KEPT_IN_MEMORY = 1_000_000
READ_AT_ONCE = 65_536
LINES_AT_ONCE, BYTES_AT_ONCE = 500, 1_000_000
TOO_LARGE = f"The body has more than {LARGEST_BODY} bytes: nothing was done. Send it in parts"


class Line(NamedTuple):
    """Its command, or what is wrong with it. `id` is told with the result."""

    id: str | None
    wanted: Request | BadCommand
    success: int = 0


class Bulk:
    """The route. At most `at_once` requests are taken at the same time: the other threads are for who asks for less."""

    def __init__(self, bus: MessageBus, at_once: int) -> None:
        self._bus = bus
        self._places = BoundedSemaphore(at_once)

    def handle(self) -> Response:
        """The results are sent as they come, each when its transaction is committed."""
        if request.mimetype not in MEDIA_TYPES:
            abort(415, f"The body must be {MEDIA_TYPES[0]}, not {request.mimetype or 'untyped'}")
        if keys.HEADER in request.headers:
            abort(400, f"{keys.HEADER} is for a single command: give each line an id")
        if (request.content_length or 0) > LARGEST_BODY:
            abort(413, TOO_LARGE)
        scope = keys.scope(request.path, request.headers.get("Authorization"))
        if not self._places.acquire(blocking=False):
            return problem(503, "Too many bulks are being handled: nothing was done", RETRY_LATER)
        with ExitStack() as stack:
            stack.callback(self._places.release)
            body = stack.enter_context(SpooledTemporaryFile(max_size=KEPT_IN_MEMORY))
            take(request.stream, body, request.content_length)
            answer = Response(results(lines(body), self._bus, scope), content_type=MEDIA_TYPES[0])
            answer.call_on_close(stack.pop_all().close)
            return answer


def take(stream: IO[bytes], body: IO[bytes], length: int | None) -> None:
    """To its end. Of a client that is lost before, the server tells nothing but an early end."""
    size = 0
    while data := stream.read(READ_AT_ONCE):
        size += len(data)
        if size > LARGEST_BODY:
            abort(413, TOO_LARGE)
        body.write(data)
    if length is not None and size < length:
        abort(400, f"The body ended after {size} of {length} bytes: nothing was done")
    body.seek(0)


def lines(body: IO[bytes]) -> Iterator[bytes]:
    """Each line without its end; of one that is too long the beginning, which is still too long."""
    while line := body.readline(LONGEST_LINE + 2):
        rest = line
        while not rest.endswith(b"\n") and (rest := body.readline(READ_AT_ONCE)):
            pass
        yield line.removesuffix(b"\n")


def parts(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """So few lines that what is made of them may be in memory."""
    part, size = list[bytes](), 0
    for line in lines:
        part.append(line)
        size += len(line)
        if len(part) == LINES_AT_ONCE or size >= BYTES_AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def results(lines: Iterator[bytes], bus: MessageBus, scope: str) -> Iterator[bytes]:
    for part in parts(lines):
        read = [understood(line, scope) for line in part]
        outcomes = bus.handle_requests(line.wanted for line in read if isinstance(line.wanted, Request))
        failed = 0
        for line in read:
            told = result(line, next(outcomes) if isinstance(line.wanted, Request) else line.wanted)
            failed += told["status"] >= 500
            yield orjson.dumps(told) + b"\n"
        if failed:
            logger.warning("%s commands of a bulk could not be carried out", failed)


def understood(line: bytes, scope: str) -> Line:
    known = None
    try:
        if len(line) > LONGEST_LINE:
            raise BadCommand([{"member": "body", "message": f"must have at most {LONGEST_LINE} bytes"}])
        envelope = bodies.parsed(bodies.Envelope, line)
        known = envelope.id
        shape, success = kind(envelope.type)
        command = bodies.from_json(shape, line)
        key = keys.key(scope, known, command) if known is not None else None
        return Line(known, Request(command, key), success)
    except BadCommand as error:
        return Line(known, error)


def kind(name: object) -> tuple[type[bodies.Body], int]:
    """What COMMANDS says of it. Raises BadCommand."""
    if isinstance(name, str) and name in COMMANDS:
        return COMMANDS[name]
    reason = "is missing" if name is None else f"must be one of {', '.join(COMMANDS)}, not {shortened(name)}"
    raise BadCommand([{"member": "type", "message": reason}])


def result(line: Line, outcome: Outcome) -> dict[str, Any]:
    told: dict[str, Any] = {} if line.id is None else {"id": line.id}
    if isinstance(outcome, Done):
        return told | {"status": line.success} | (outcome.answer or {})
    if type(outcome) not in FAILURES:
        logger.error("A line failed for a reason of our own", exc_info=outcome)
        return told | {"status": 500, "message": "The service failed. The reason is in its log."}
    status, message, members = failure(outcome)
    return told | {"status": status, "message": message} | members
