"""The Flask app of the pages for people. The edge serves it in threads, beside the endpoints of the API."""

import logging

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

from readmodel.web.answers import JSON, Answer, bug, json_answer, problem
from readmodel.web.description.endpoint import Description

logger = logging.getLogger(__name__)


HTML = "text/html"


def create_pages(description: Description) -> Flask:
    """Return the app. Its index lists the described routes. It reports its errors as problems."""
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    app.register_error_handler(HTTPException, lambda error: response(from_http_exception(error)))
    app.register_error_handler(Exception, from_bug)

    @app.get("/")
    def index() -> Response:
        found = description.index
        if request.accept_mimetypes.best_match([JSON, HTML]) == HTML:
            answer = Response(render_template("index.html", **found), content_type=f"{HTML}; charset=utf-8")
        else:
            answer = response(json_answer(found))
        answer.headers["vary"] = "accept"
        return answer

    return app


def response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, answer.headers, content_type=answer.content_type)


def from_http_exception(error: HTTPException) -> Answer:
    kept = tuple((name.lower(), value) for name, value in error.get_headers() if name.lower() in {"allow", "location"})
    return problem(error.code or 500, error.description or error.name, kept)


def from_bug(error: Exception) -> Response:
    logger.error("A request failed because of a bug", exc_info=error)
    return response(bug())
