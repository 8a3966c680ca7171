"""The query routes. They read Redis and nothing else."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, abort, request
from redis.exceptions import RedisError

from readmodel.store.errors import ModelAbsent
from readmodel.store.snapshot import Snapshot
from readmodel.store.store import Store
from readmodel.views import batches, orders, products
from readmodel.web.kit import create_bare_app, health_routes, json_response
from readmodel.web.problems import RETRY_LATER, problem

TIMEOUT = 2.0
REBUILDING = "The read model is being rebuilt"
UNREACHABLE = "The read model is unreachable"

Fetch = Callable[[Snapshot, str], Any]
ROUTES: dict[str, tuple[Fetch, str]] = {
    "/allocations/<identifier:name>": (orders.allocations, "Order {} has no allocated line"),
    "/orders/<identifier:name>": (
        lambda snapshot, name: orders.order(snapshot, name, explain=flag("explain")),
        "There is no order {}",
    ),
    "/products/<identifier:name>": (products.product, "There is no product {}"),
    "/batches/<identifier:name>": (batches.batch, "There is no batch {}"),
}
"""Maps each route to the function that reads its view, and to the message of a 404."""


def create_query_app(store: Store) -> Flask:
    """Return the app of a process that only serves queries."""
    app = create_bare_app()
    app.register_blueprint(query_routes(store))
    app.register_blueprint(health_routes("queries", lambda: {"queries": reason_not_ready(store)}))
    return app


def query_routes(store: Store) -> Blueprint:
    blueprint = Blueprint("queries", __name__)
    for route, (fetch, not_found) in ROUTES.items():
        blueprint.add_url_rule(route, endpoint=route.split("/")[1], view_func=query(store, fetch, not_found))
    blueprint.register_error_handler(ModelAbsent, lambda _: problem(503, REBUILDING, RETRY_LATER))
    blueprint.register_error_handler(RedisError, lambda _: problem(503, UNREACHABLE, RETRY_LATER))
    return blueprint


def query(store: Store, fetch: Fetch, not_found: str) -> Callable[[str], Response]:
    def respond(name: str) -> Response:
        found = store.read(lambda snapshot: fetch(snapshot, name))
        return json_response(found) if found else problem(404, not_found.format(name))

    return respond


def flag(name: str) -> bool:
    value = request.args.get(name, "0") if request.query_string else "0"
    if value not in {"0", "1"}:
        abort(400, f"{name} must be 0 or 1, not {value!r}")
    return value == "1"


def reason_not_ready(store: Store) -> str | None:
    """Return the reason why this process can't answer queries now, or None if it can."""
    try:
        return None if store.generations().live else REBUILDING
    except ModelAbsent:
        return REBUILDING
    except RedisError:
        return UNREACHABLE
