"""Errors as application/problem+json (RFC 9457), with an additional member `message` that equals `detail`."""

import logging
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

logger = logging.getLogger(__name__)

RETRY_LATER = {"Retry-After": "1"}


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **members: Any) -> Response:
    """Return a problem, with `members` as additional members of its JSON."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "message": detail,
    }
    return Response(orjson.dumps(body | members), status, headers, content_type="application/problem+json")


def register(app: Flask) -> None:
    """Report every error of the app as a problem, including Flask's own errors."""
    app.register_error_handler(HTTPException, from_http_exception)
    app.register_error_handler(Exception, from_bug)


def from_http_exception(error: HTTPException) -> Response:
    response = problem(error.code or 500, error.description or error.name)
    kept = ((name, value) for name, value in error.get_headers() if name.lower() in {"allow", "retry-after"})
    response.headers.extend(kept)
    return response


def from_bug(error: Exception) -> Response:
    logger.error("A request failed because of a bug", exc_info=error)
    return problem(500, "The service failed. Its log has the reason.")
