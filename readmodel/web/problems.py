"""Errors as application/problem+json (RFC 9457), with the further member `message`, equal to `detail`."""

import logging
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

logger = logging.getLogger(__name__)

RETRY_LATER = {"Retry-After": "1"}


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **members: Any) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "message": detail,
    }
    return Response(orjson.dumps(body | members), status, headers, content_type="application/problem+json")


def register(app: Flask) -> None:
    """Answer every error of the app, its own and Flask's, as a problem."""
    app.register_error_handler(HTTPException, of_http_exception)
    app.register_error_handler(Exception, of_bug)


def of_http_exception(error: HTTPException) -> Response:
    answer = problem(error.code or 500, error.description or error.name)
    kept = ((name, value) for name, value in error.get_headers() if name.lower() in {"allow", "retry-after"})
    answer.headers.extend(kept)
    return answer


def of_bug(error: Exception) -> Response:
    logger.error("A request failed for a reason of our own", exc_info=error)
    return problem(500, "The service failed. The reason is in its log.")
