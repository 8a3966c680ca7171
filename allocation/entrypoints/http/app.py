"""The command routes, and the query routes beside them."""

import logging
from collections.abc import Callable

from flask import Blueprint, Flask, Response, abort, request
from sqlalchemy import Engine

from allocation import bootstrap
from allocation.adapters.postgres.migrations.revision import is_current
from allocation.adapters.postgres.unit_of_work import engine_for
from allocation.adapters.schemas import commands as bodies
from allocation.config import BadSettings, Settings, settings
from allocation.domain.commands import Command
from allocation.entrypoints.http import idempotency_keys as keys
from allocation.entrypoints.http.bulk import Bulk
from allocation.entrypoints.http.responses import COMMANDS, FAILURES, TRY_AGAIN, failure
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from readmodel.store.client import client
from readmodel.store.store import Store
from readmodel.web import app as readmodel_http
from readmodel.web.app import json
from readmodel.web.problems import RETRY_LATER, problem

logger = logging.getLogger(__name__)

LARGEST_BODY = 1_000_000


def create_app(config: Settings | None = None) -> Flask:
    """A worker's app. Opens no connection, so that a store that is away now is one that may come back."""
    config = config or settings()
    database_url, redis_url = config.database_url, config.redis_url
    if database_url is None or redis_url is None:
        raise BadSettings("DATABASE_URL and REDIS_URL must be set")
    engine = engine_for(database_url, connections=config.threads)
    store = Store(client(redis_url, timeout=readmodel_http.READ_TIMEOUT))
    app = readmodel_http.bare_app()
    bus = bootstrap.message_bus(engine, bootstrap.update_views(redis_url), config.commands_together)
    app.register_blueprint(commands(bus, bulks_at_once=max(1, config.threads // 2)))
    app.register_blueprint(readmodel_http.queries(store))
    app.register_blueprint(
        readmodel_http.health(
            "commands", lambda: {"commands": trouble(engine), "queries": readmodel_http.trouble(store)}
        )
    )
    return app


def commands(bus: MessageBus, bulks_at_once: int) -> Blueprint:
    blueprint = Blueprint("commands", __name__)
    for name, (shape, success) in COMMANDS.items():
        blueprint.add_url_rule(f"/{name}", name, handler(bus, shape, success), methods=["POST"])
        blueprint.add_url_rule(f"/preview/{name}", f"preview_{name}", previewer(bus, shape), methods=["POST"])
    blueprint.add_url_rule("/commands", "bulk", Bulk(bus, bulks_at_once).handle, methods=["POST"])
    for error in FAILURES:
        blueprint.register_error_handler(error, failed)
    return blueprint


def handler(bus: MessageBus, shape: type[bodies.Body], success: int) -> Callable[[], Response]:
    def handle() -> Response:
        command = bodies.from_json(shape, whole_body())
        answer = bus.handle(command, key_of(command))
        if answer is None:
            return Response("OK", success, content_type="text/plain")
        return json(answer, success)

    return handle


def previewer(bus: MessageBus, shape: type[bodies.Body]) -> Callable[[], Response]:
    def preview() -> Response:
        return json(bus.preview(bodies.from_json(shape, whole_body())))

    return preview


def key_of(command: Command) -> IdempotencyKey | None:
    value = request.headers.get(keys.HEADER)
    if value is None:
        return None
    return keys.key(keys.scope(request.path, request.headers.get("Authorization")), keys.checked(value), command)


def whole_body() -> bytes:
    """The JSON body of the request, whether its length is told or it comes in chunks."""
    if request.mimetype != "application/json":
        abort(415, f"The body must be application/json, not {request.mimetype or 'untyped'}")
    body = request.stream.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        abort(413)
    return body


def failed(error: Exception) -> Response:
    if isinstance(error, StoreUnavailable):
        logger.warning("A command could not be carried out: %s", error)
    status, message, members = failure(error)
    return problem(status, message, RETRY_LATER if isinstance(error, TRY_AGAIN) else None, **members)


def trouble(engine: Engine) -> str | None:
    """Why commands can't be carried out now; None where they can."""
    try:
        return None if is_current(engine) else "The database is not migrated"
    except (StoreUnavailable, RetryableError):
        return "The database can't be reached"
