"""Code that the command app and the query app share."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import orjson
from flask import Blueprint, Flask, Response, request
from werkzeug.routing import BaseConverter

from readmodel import logs
from readmodel.web import problems
from readmodel.web.problems import RETRY_LATER, problem

READ_AT_ONCE, READ_WITHIN = 1_000_000, 5.0


class Readiness(NamedTuple):
    """Maps each role of the process to the reason why it is not ready, or to None.

    `views` is the warning that queries answer with, or None. `refusal` is a reason why no role is ready.
    """

    roles: Mapping[str, str | None]
    views: str | None = None
    refusal: str | None = None


class IdentifierConverter(BaseConverter):
    """Matches any characters, including slashes."""

    regex = "(?s:.+)"
    part_isolating = False


def create_bare_app() -> Flask:
    """Return an app without routes. It reports errors as problems and accepts any identifier in a path."""
    logs.configure()
    app = Flask("allocation", static_folder=None)
    app.url_map.converters["identifier"] = IdentifierConverter
    app.url_map.merge_slashes = False
    problems.register(app)
    app.after_request(read_rest_of_body)
    return app


def read_rest_of_body(response: Response) -> Response:
    """Read the rest of the request's body, so that the client receives the response and can reuse the connection.

    Stop after READ_WITHIN seconds. The server then closes the connection.
    """
    deadline = time.monotonic() + READ_WITHIN
    if request.method not in {"GET", "HEAD"}:
        while request.stream.read(READ_AT_ONCE) and time.monotonic() < deadline:
            pass
    return response


def health_routes(role: str, readiness: Callable[[], Readiness]) -> Blueprint:
    """Return the routes /health/live and /health/ready.

    A process is live if it responds. It is ready if it can serve its `role`. The response also shows the other roles,
    and the warning about the views, if there is one.
    """
    blueprint = Blueprint("health", __name__, url_prefix="/health")

    @blueprint.get("/live")
    def live() -> Response:
        return json_response({"status": "live"})

    @blueprint.get("/ready")
    def ready() -> Response:
        found = readiness()
        members: dict[str, object] = {"roles": {name: reason or "ready" for name, reason in found.roles.items()}}
        if found.views is not None:
            members["views"] = found.views
        reason = found.roles[role] or found.refusal
        if reason is not None:
            return problem(503, reason, RETRY_LATER, **members)
        return json_response({"status": "ready"} | members)

    return blueprint


def json_response(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body) + b"\n", status, content_type="application/json")
