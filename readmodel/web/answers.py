"""Responses, and errors as application/problem+json (RFC 9457) with an additional member `message` = `detail`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

Headers = tuple[tuple[str, str], ...]

JSON, PROBLEM = "application/json", "application/problem+json"
RETRY_LATER: Headers = (("retry-after", "1"),)
SECURITY_HEADERS: Headers = (
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
)


class Answer(NamedTuple):
    """A complete response. `security` replaces the headers that forbid a browser to store and to run anything."""

    status: int
    body: bytes
    content_type: str
    headers: Headers = ()
    security: Headers = SECURITY_HEADERS


class StreamedAnswer(NamedTuple):
    """A response whose body arrives in parts.

    The edge closes `resources` after the last part, or when a part can't be sent because the client has gone.
    """

    status: int
    headers: Headers
    parts: AsyncIterator[bytes]
    resources: AsyncExitStack
    security: Headers = SECURITY_HEADERS


class Problem(Exception):
    """The request can't be served. `answer` says why."""

    def __init__(self, status: int, detail: str, headers: Headers = (), **members: Any) -> None:
        super().__init__(detail)
        self.answer = problem(status, detail, headers, **members)


def json_answer(body: object, status: int = 200, headers: Headers = ()) -> Answer:
    return Answer(status, orjson.dumps(body) + b"\n", JSON, headers)


def problem(status: int, detail: str, headers: Headers = (), **members: Any) -> Answer:
    """Return a problem, with `members` as additional members of its JSON."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "message": detail,
    }
    return Answer(status, orjson.dumps(body | members), PROBLEM, headers)


def bug() -> Answer:
    return problem(500, "The service failed. Its log has the reason.")
