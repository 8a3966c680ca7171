"""The command routes, and the query routes beside them."""

import logging
from collections.abc import Callable

from flask import Blueprint, Flask, Response, abort, request

from allocation.adapters.schemas import results
from allocation.adapters.schemas.commands import COMMANDS, CommandSchema
from allocation.domain.commands import Command
from allocation.entrypoints.http.bulk import Bulk
from allocation.entrypoints.http.idempotency_keys import HEADER, checked_header, key_of, key_scope
from allocation.entrypoints.http.responses import FAILURES, TRY_AGAIN, failure, success_status
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from readmodel.store.store import Store
from readmodel.web import queries
from readmodel.web.kit import create_bare_app, health_routes, json_response
from readmodel.web.problems import RETRY_LATER, problem

logger = logging.getLogger(__name__)

LARGEST_BODY = 1_000_000


def create_app(bus: MessageBus, store: Store, is_migrated: Callable[[], bool], bulks_at_once: int) -> Flask:
    """Return a worker's app. It opens no connection, so it starts even while a store is down."""
    app = create_bare_app()
    app.register_blueprint(command_routes(bus, bulks_at_once))
    app.register_blueprint(queries.query_routes(store))
    app.register_blueprint(
        health_routes(
            "commands",
            lambda: {"commands": reason_not_ready(is_migrated), "queries": queries.reason_not_ready(store)},
        )
    )
    return app


def command_routes(bus: MessageBus, bulks_at_once: int) -> Blueprint:
    blueprint = Blueprint("commands", __name__)
    for name, schema in COMMANDS.items():
        blueprint.add_url_rule(f"/{name}", name, command_view(bus, schema), methods=["POST"])
        blueprint.add_url_rule(f"/preview/{name}", f"preview_{name}", preview_view(bus, schema), methods=["POST"])
    blueprint.add_url_rule("/commands", "bulk", Bulk(bus, bulks_at_once).respond, methods=["POST"])
    for error in FAILURES:
        blueprint.register_error_handler(error, failure_response)
    return blueprint


def command_view(bus: MessageBus, schema: CommandSchema) -> Callable[[], Response]:
    status = success_status(schema.command)

    def respond() -> Response:
        command = schema.from_json(read_body())
        result = bus.handle(command, request_key(command))
        if result is None:
            return Response("OK", status, content_type="text/plain")
        return json_response(results.order_outcome(result), status)

    return respond


def preview_view(bus: MessageBus, schema: CommandSchema) -> Callable[[], Response]:
    def respond() -> Response:
        return json_response(results.preview(bus.preview(schema.from_json(read_body()))))

    return respond


def request_key(command: Command) -> IdempotencyKey | None:
    value = request.headers.get(HEADER)
    if value is None:
        return None
    scope = key_scope(request.path, request.headers.get("Authorization"))
    return key_of(scope, checked_header(value), command)


def read_body() -> bytes:
    """Read the JSON body of the request, whether it has a Content-Length or is sent in chunks."""
    if request.mimetype != "application/json":
        abort(415, f"The body must be application/json, not {request.mimetype or 'untyped'}")
    # No max_content_length: beyond that limit nobody can read the rest of the body, and the client would get a closed
    # connection instead of the 413.
    body = request.stream.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        abort(413)
    return body


def failure_response(error: Exception) -> Response:
    if isinstance(error, StoreUnavailable):
        logger.warning("A command was not executed: %s", error)
    status, message, members = failure(error)
    return problem(status, message, RETRY_LATER if isinstance(error, TRY_AGAIN) else None, **members)


def reason_not_ready(is_migrated: Callable[[], bool]) -> str | None:
    """Return why commands can't be served now, or None."""
    try:
        return None if is_migrated() else "The database is not migrated"
    except (StoreUnavailable, RetryableError):
        return "The database can't be reached"
