"""The Flask app of the pages for people. The edge serves it in threads, beside the endpoints of the API."""

import logging
from collections.abc import Sequence

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from readmodel.web.answers import Answer, bug, json_answer, problem

logger = logging.getLogger(__name__)


def create_pages(routes: Sequence[str]) -> Flask:
    """Return the app. Its index lists `routes`. It reports its errors as problems."""
    app = Flask("allocation", static_folder=None)
    app.url_map.merge_slashes = False
    app.register_error_handler(HTTPException, lambda error: response(from_http_exception(error)))
    app.register_error_handler(Exception, from_bug)

    @app.get("/")
    def index() -> Response:
        return response(json_answer({"routes": routes}))

    return app


def response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, answer.headers, content_type=answer.content_type)


def from_http_exception(error: HTTPException) -> Answer:
    kept = tuple((name.lower(), value) for name, value in error.get_headers() if name.lower() in {"allow", "location"})
    return problem(error.code or 500, error.description or error.name, kept)


def from_bug(error: Exception) -> Response:
    logger.error("A request failed because of a bug", exc_info=error)
    return response(bug())
