"""The query routes, answered from Redis alone. `create_app` serves them as a process of their own."""

import os
import time
from collections.abc import Callable
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, abort, request
from redis.exceptions import RedisError
from werkzeug.routing import BaseConverter

from readmodel import logs
from readmodel.store.client import client
from readmodel.store.store import ModelAbsent, Snapshot, Store
from readmodel.views import batches, orders, products
from readmodel.web import problems
from readmodel.web.problems import RETRY_LATER, problem

READ_TIMEOUT = 2.0
READ_AT_ONCE, READ_WITHIN = 1_000_000, 5.0

Fetch = Callable[[Snapshot, str], Any]
ROUTES: dict[str, tuple[Fetch, str]] = {
    "/allocations/<identifier:name>": (orders.allocations, "Order {} has no allocated line"),
    "/orders/<identifier:name>": (
        lambda *wanted: orders.order(*wanted, explain=asked_for("explain")),
        "There is no order {}",
    ),
    "/products/<identifier:name>": (products.product, "There is no product {}"),
    "/batches/<identifier:name>": (batches.batch, "There is no batch {}"),
}

Readiness = Callable[[], dict[str, str | None]]
"""The process's roles, and what keeps each from working: None where nothing does."""


def create_app(redis_url: str | None = None) -> Flask:
    """The query process: it is given the address of Redis and no other."""
    app = bare_app()
    store = Store(client(redis_url or os.environ["REDIS_URL"], timeout=READ_TIMEOUT))
    app.register_blueprint(queries(store))
    app.register_blueprint(health("queries", lambda: {"queries": trouble(store)}))
    return app


class IdentifierConverter(BaseConverter):
    """Any characters, slashes included."""

    regex = "(?s:.+)"
    part_isolating = False


def bare_app() -> Flask:
    """An app without routes that answers errors as problems and takes identifiers as they are."""
    logs.configure()
    app = Flask("allocation", static_folder=None)
    app.url_map.converters["identifier"] = IdentifierConverter
    app.url_map.merge_slashes = False
    problems.register(app)
    app.after_request(read_to_the_end)
    return app


def read_to_the_end(response: Response) -> Response:
    """Read what is left of a refused body, so that its sender gets the answer and can use the connection again.

    Where it takes too long the connection breaks.
    """
    deadline = time.monotonic() + READ_WITHIN
    if request.method not in {"GET", "HEAD"}:
        while request.stream.read(READ_AT_ONCE) and time.monotonic() < deadline:
            pass
    return response


def queries(store: Store) -> Blueprint:
    blueprint = Blueprint("queries", __name__)
    for route, (fetch, missing) in ROUTES.items():
        blueprint.add_url_rule(route, endpoint=route.split("/")[1], view_func=view(store, fetch, missing))
    blueprint.register_error_handler(ModelAbsent, lambda _: unavailable("The read model is being rebuilt"))
    blueprint.register_error_handler(RedisError, lambda _: unavailable("The read model can't be reached"))
    return blueprint


def view(store: Store, fetch: Fetch, missing: str) -> Callable[[str], Response]:
    def answer(name: str) -> Response:
        found = store.read(lambda snapshot: fetch(snapshot, name))
        return json(found) if found else problem(404, missing.format(name))

    return answer


def asked_for(flag: str) -> bool:
    value = request.args.get(flag, "0") if request.query_string else "0"
    if value not in {"0", "1"}:
        abort(400, f"{flag} must be 0 or 1, not {value!r}")
    return value == "1"


def health(role: str, readiness: Readiness) -> Blueprint:
    """Live: the process answers. Ready: it can do what its `role` is for; what it serves besides is only reported."""
    blueprint = Blueprint("health", __name__, url_prefix="/health")

    @blueprint.get("/live")
    def live() -> Response:
        return json({"status": "live"})

    @blueprint.get("/ready")
    def ready() -> Response:
        found = readiness()
        roles = {name: why or "ready" for name, why in found.items()}
        if found[role] is not None:
            return problem(503, found[role] or "", RETRY_LATER, roles=roles)
        return json({"status": "ready", "roles": roles})

    return blueprint


def trouble(store: Store) -> str | None:
    """Why queries can't be answered now; None where they can."""
    try:
        return None if store.generations().live else "The read model is being rebuilt"
    except RedisError:
        return "The read model can't be reached"


def unavailable(why: str) -> Response:
    return problem(503, why, RETRY_LATER)


def json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body) + b"\n", status, content_type="application/json")
