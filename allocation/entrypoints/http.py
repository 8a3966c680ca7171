"""The command routes, and the query routes beside them."""

import logging
from collections.abc import Callable

from flask import Blueprint, Flask, Response, abort, request
from sqlalchemy import Engine

from allocation import bootstrap
from allocation.adapters import bodies, schema
from allocation.adapters.unit_of_work import engine_for
from allocation.config import BadSettings, Settings, settings
from allocation.domain.errors import BatchConflict, LineConflict, Refusal, UnknownBatch, UnknownLine, UnknownSku
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from readmodel import http as readmodel_http
from readmodel.clients import client
from readmodel.problems import RETRY_LATER, problem
from readmodel.store import Store

logger = logging.getLogger(__name__)

LARGEST_BODY = 1_000_000

ROUTES: dict[str, tuple[type[bodies.Body], int]] = {
    "/add_batch": (bodies.CreateBatch, 201),
    "/change_batch_quantity": (bodies.ChangeBatchQuantity, 202),
    "/change_batch_eta": (bodies.ChangeBatchEta, 202),
    "/allocate": (bodies.Allocate, 202),
    "/deallocate": (bodies.Deallocate, 202),
}

REFUSALS: dict[type[Refusal], int] = {
    UnknownSku: 400,
    UnknownLine: 404,
    UnknownBatch: 404,
    LineConflict: 409,
    BatchConflict: 409,
}


def create_app(config: Settings | None = None) -> Flask:
    """A worker's app. Opens no connection, so that a store that is away now is one that may come back."""
    config = config or settings()
    database_url, redis_url = config.database_url, config.redis_url
    if database_url is None or redis_url is None:
        raise BadSettings("DATABASE_URL and REDIS_URL must be set")
    engine = engine_for(database_url, connections=config.threads)
    store = Store(client(redis_url, timeout=readmodel_http.READ_TIMEOUT))
    app = readmodel_http.bare_app()
    app.register_blueprint(commands(bootstrap.message_bus(engine, bootstrap.update_views(redis_url))))
    app.register_blueprint(readmodel_http.queries(store))
    app.register_blueprint(
        readmodel_http.health(
            "commands", lambda: {"commands": trouble(engine), "queries": readmodel_http.trouble(store)}
        )
    )
    return app


def commands(bus: MessageBus) -> Blueprint:
    blueprint = Blueprint("commands", __name__)
    for route, (shape, success) in ROUTES.items():
        blueprint.add_url_rule(route, route[1:], handler(bus, shape, success), methods=["POST"])
    blueprint.register_error_handler(bodies.BadCommand, lambda error: problem(400, str(error), errors=error.errors))
    blueprint.register_error_handler(Refusal, lambda error: problem(REFUSALS[type(error)], str(error)))
    blueprint.register_error_handler(StoreUnavailable, store_unavailable)
    return blueprint


def handler(bus: MessageBus, shape: type[bodies.Body], success: int) -> Callable[[], Response]:
    def handle() -> Response:
        if request.mimetype != "application/json":
            return problem(415, f"The body must be application/json, not {request.mimetype or 'untyped'}")
        bus.handle(bodies.from_json(shape, whole_body()))
        return Response("OK", success, content_type="text/plain")

    return handle


def whole_body() -> bytes:
    """The body of the request, whether its length is told or it comes in chunks."""
    body = request.stream.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        abort(413)
    return body


def store_unavailable(error: StoreUnavailable) -> Response:
    logger.warning("A command could not be carried out: %s", error)
    return problem(503, "The command was not confirmed. It can be sent again without doing it twice", RETRY_LATER)


def trouble(engine: Engine) -> str | None:
    """Why commands can't be carried out now; None where they can."""
    try:
        return None if schema.is_current(engine) else "The database is not migrated"
    except (StoreUnavailable, RetryableError):
        return "The database can't be reached"
