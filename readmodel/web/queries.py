"""The query routes. They read Redis and nothing else."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Flask, Response, abort, request
from redis.exceptions import RedisError

from readmodel.store.errors import ModelAbsent, ModelOutdated
from readmodel.store.records.heartbeat import SUSPECT
from readmodel.store.snapshot import Snapshot
from readmodel.store.store import Store
from readmodel.views import batches, orders, products
from readmodel.web.kit import Readiness, create_bare_app, health_routes, json_response
from readmodel.web.problems import RETRY_LATER, problem

TIMEOUT = 2.0
REBUILDING = "The read model is being rebuilt"
UNREACHABLE = "The read model is unreachable"
SUSPECT_VIEWS = "The views are suspect: the database may have lost events that they show"

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


def create_query_app(store: Store, suspect_is_ready: bool = True) -> Flask:
    """Return the app of a process that only serves queries.

    While the views are suspect, the process is ready only if `suspect_is_ready`.
    """
    app = create_bare_app()
    app.register_blueprint(query_routes(store))
    app.register_blueprint(health_routes("queries", lambda: readiness(store, {}, suspect_is_ready)))
    return app


def query_routes(store: Store) -> Blueprint:
    blueprint = Blueprint("queries", __name__)
    for route, (fetch, not_found) in ROUTES.items():
        blueprint.add_url_rule(route, endpoint=route.split("/")[1], view_func=query(store, fetch, not_found))
    blueprint.register_error_handler(ModelOutdated, lambda error: problem(503, str(error), RETRY_LATER))
    blueprint.register_error_handler(ModelAbsent, lambda _: problem(503, REBUILDING, RETRY_LATER))
    blueprint.register_error_handler(RedisError, lambda _: problem(503, UNREACHABLE, RETRY_LATER))
    return blueprint


def query(store: Store, fetch: Fetch, not_found: str) -> Callable[[str], Response]:
    def respond(name: str) -> Response:
        found, warning = store.read(lambda snapshot: fetch(snapshot, name))
        response = json_response(found) if found else problem(404, not_found.format(name))
        if warning is not None:
            response.headers["Allocation-Views"] = warning
        return response

    return respond


def flag(name: str) -> bool:
    value = request.args.get(name, "0") if request.query_string else "0"
    if value not in {"0", "1"}:
        abort(400, f"{name} must be 0 or 1, not {value!r}")
    return value == "1"


def readiness(store: Store, roles: Mapping[str, str | None], suspect_is_ready: bool) -> Readiness:
    """Return the readiness of a process that also serves these roles."""
    reason, views = None, None
    try:
        views = store.read(lambda snapshot: snapshot.hashes()).warning
    except ModelOutdated as error:
        reason = str(error)
    except ModelAbsent:
        reason = REBUILDING
    except RedisError:
        reason = UNREACHABLE
    refusal = SUSPECT_VIEWS if views == SUSPECT and not suspect_is_ready else None
    return Readiness({**roles, "queries": reason}, views, refusal)
