"""The app of a web worker: the routes of the commands, the queries and the health checks."""

import logging
from collections.abc import Callable

from flask import Blueprint, Flask, Response, request

from allocation.adapters.schemas import results
from allocation.adapters.schemas.commands import COMMANDS, CommandSchema
from allocation.domain.commands import Command
from allocation.entrypoints.http.bodies import read_body
from allocation.entrypoints.http.bulk import BulkEndpoint
from allocation.entrypoints.http.idempotency_keys import HEADER, checked_header, key_of, key_scope
from allocation.entrypoints.http.responses import FAILURES, PREVIEW_FAILED, RETRYABLE, failure, success_status
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import StoreUnavailable
from readmodel.store.store import Store
from readmodel.web import queries
from readmodel.web.kit import create_bare_app, health_routes, json_response
from readmodel.web.problems import RETRY_LATER, problem

logger = logging.getLogger(__name__)


def create_app(
    bus: MessageBus,
    store: Store,
    reason_not_ready: Callable[[], str | None],
    bulks_at_once: int,
    suspect_is_ready: bool = True,
) -> Flask:
    """Return the app of a web worker. It opens no connection, so the worker starts even if a store is unavailable.

    `reason_not_ready` returns the reason why the worker can't execute commands, or None. At most `bulks_at_once` bulk
    requests run at the same time. If the views are suspect, the worker is ready only if `suspect_is_ready`.
    """
    app = create_bare_app()
    app.register_blueprint(command_routes(bus, bulks_at_once))
    app.register_blueprint(queries.query_routes(store))
    app.register_blueprint(
        health_routes(
            "commands",
            lambda: queries.readiness(store, {"commands": reason_not_ready()}, suspect_is_ready),
        )
    )
    return app


def command_routes(bus: MessageBus, bulks_at_once: int) -> Blueprint:
    blueprint = Blueprint("commands", __name__)
    for name, schema in COMMANDS.items():
        # For example: POST /allocate and POST /preview/allocate.
        blueprint.add_url_rule(f"/{name}", name, command_endpoint(bus, schema), methods=["POST"])
        blueprint.add_url_rule(f"/preview/{name}", f"preview_{name}", preview_endpoint(bus, schema), methods=["POST"])
    blueprint.add_url_rule("/commands", "bulk", BulkEndpoint(bus, bulks_at_once).respond, methods=["POST"])
    for error in FAILURES:
        blueprint.register_error_handler(error, failure_response)
    return blueprint


def command_endpoint(bus: MessageBus, schema: CommandSchema) -> Callable[[], Response]:
    status = success_status(schema.command)

    def respond() -> Response:
        command = schema.from_json(read_body())
        result = bus.handle(command, request_key(command))
        if result is None:
            return Response("OK", status, content_type="text/plain")
        return json_response(results.order_result(result), status)

    return respond


def preview_endpoint(bus: MessageBus, schema: CommandSchema) -> Callable[[], Response]:
    def respond() -> Response:
        command = schema.from_json(read_body())
        try:
            return json_response(results.preview(bus.preview(command)))
        except StoreUnavailable as error:
            logger.warning("A preview failed: %s", error)
            return problem(503, PREVIEW_FAILED, RETRY_LATER)

    return respond


def request_key(command: Command) -> IdempotencyKey | None:
    value = request.headers.get(HEADER)
    if value is None:
        return None
    scope = key_scope(request.path, request.headers.get("Authorization"))
    return key_of(scope, checked_header(value), command)


def failure_response(error: Exception) -> Response:
    if isinstance(error, StoreUnavailable):
        logger.warning("The service could not confirm a command: %s", error)
    status, message, members = failure(error)
    return problem(status, message, RETRY_LATER if isinstance(error, RETRYABLE) else None, **members)
