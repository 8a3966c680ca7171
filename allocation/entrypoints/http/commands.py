"""The endpoints of the commands and of their previews."""

import logging

from allocation.adapters.schemas import results
from allocation.adapters.schemas.commands import CommandSchema
from allocation.domain.changes import Origin
from allocation.domain.commands import AllocateOrder, Command
from allocation.entrypoints.http.bodies import LARGEST_BODY, LARGEST_ORDER, ONE_PARSES, TOO_LARGE
from allocation.entrypoints.http.consistency import CreateToken, token_header
from allocation.entrypoints.http.database_outage import DatabaseOutage
from allocation.entrypoints.http.idempotency_keys import HEADER, checked_header, key_of, key_scope
from allocation.entrypoints.http.responses import PREVIEW_FAILED, failure_answer, location_of, success_status
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done, Outcome
from allocation.service_layer.unit_of_work import StoreUnavailable
from readmodel.web.answers import JSON, RETRY_LATER, Answer, json_answer, problem
from readmodel.web.edge.access import COMMAND
from readmodel.web.edge.bodies import read_body, require_length, require_media_type
from readmodel.web.edge.bulkheads import Bulkhead
from readmodel.web.edge.deliveries import Deliveries
from readmodel.web.edge.request import Request

logger = logging.getLogger(__name__)

PARSED_AT_ONCE = 10_000
"""Bytes. The event loop parses a body of this size. A larger body would delay other requests, so a thread parses it."""


class PostCommand:
    """The endpoint of one command. A command that can't share a transaction needs one of the `threads`."""

    methods = ("POST",)
    scope = COMMAND

    def __init__(
        self,
        bus: MessageBus,
        schema: CommandSchema,
        threads: Bulkhead,
        deliveries: Deliveries[Outcome],
        create: CreateToken,
        outage: DatabaseOutage,
    ) -> None:
        self._bus = bus
        self._create_token = create
        self._schema = schema
        self._threads = threads
        self._deliveries = deliveries
        self._outage = outage
        self._success = success_status(schema.command)

    async def respond(self, request: Request) -> Answer:
        try:
            command = await read_command(request, self._schema, self._threads)
            outcome = await self._execute(CommandRequest(command, request_key(request, command), origin_of(request)))
        except Exception as error:
            return failure_answer(error, request.correlation_id)
        self._outage.note(outcome)
        if isinstance(outcome, Exception):
            return failure_answer(outcome, request.correlation_id)
        headers = location_of(command) + token_header(outcome.written, self._create_token)
        if outcome.result is None:
            return Answer(self._success, b"OK", "text/plain", headers)
        return json_answer(results.order_result(outcome.result), self._success, headers)

    async def _execute(self, request: CommandRequest) -> Outcome:
        outcome, done = self._deliveries.expect()
        if self._bus.submit(request, done):
            return await outcome
        return await self._threads.run(self._bus.execute, request)


class PostPreview:
    """The endpoint of the preview of one command."""

    methods = ("POST",)
    scope = COMMAND

    def __init__(self, bus: MessageBus, schema: CommandSchema, threads: Bulkhead, outage: DatabaseOutage) -> None:
        self._bus = bus
        self._schema = schema
        self._threads = threads
        self._outage = outage

    async def respond(self, request: Request) -> Answer:
        try:
            command = await read_command(request, self._schema, self._threads)
            previewed = await self._threads.run(self._bus.preview, command)
        except StoreUnavailable as error:
            self._outage.note(error)
            logger.warning("A preview failed: %s", error, extra={"correlation_id": request.correlation_id})
            return problem(503, PREVIEW_FAILED, RETRY_LATER)
        except Exception as error:
            return failure_answer(error, request.correlation_id)
        self._outage.note(Done())
        return json_answer(results.preview(previewed))


async def read_command(request: Request, schema: CommandSchema, threads: Bulkhead) -> Command:
    """Read the body and parse it. Raise a Problem if it can't be read, or InvalidInput if it is no such command."""
    require_media_type(request, JSON)
    largest = LARGEST_ORDER if schema.command is AllocateOrder else LARGEST_BODY
    length = require_length(request, largest, TOO_LARGE.format(largest))
    body = await read_body(request, length)
    if length <= PARSED_AT_ONCE:
        return schema.from_json(body)
    return await threads.run(parse_large, schema, body)


def origin_of(request: Request) -> Origin:
    return Origin(request.caller, request.correlation_id)


def parse_large(schema: CommandSchema, body: bytes) -> Command:
    with ONE_PARSES:
        return schema.from_json(body)


def request_key(request: Request, command: Command) -> IdempotencyKey | None:
    value = request.header(HEADER.lower())
    if value is None:
        return None
    return key_of(key_scope(request.path, request.caller), checked_header(value), command)
