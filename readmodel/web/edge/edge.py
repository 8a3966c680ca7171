"""The edge of a web worker: an RSGI application that finds the endpoint of each request and sends its answer.

Slow work runs in threads, and other requests wait without a thread. So a slow store or client delays no other request.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from readmodel.logs import harmless
from readmodel.web.answers import Answer, Problem, StreamedAnswer, bug, problem
from readmodel.web.edge.access import AccessTokens
from readmodel.web.edge.access_log import AccessLog
from readmodel.web.edge.bodies import drain
from readmodel.web.edge.observer import UNOBSERVED, Observer
from readmodel.web.edge.request import ClientGone, Connection, Request, Scope

logger = logging.getLogger(__name__)


CLIENT_GONE = 499
"""The status in the access log if the client has gone before it has received the response."""


class Endpoint(Protocol):
    @property
    def methods(self) -> Sequence[str] | None:
        """The methods that the endpoint serves, or None if it decides for itself."""

    @property
    def scope(self) -> str | None:
        """The scope that a caller needs, or None if everybody may call."""

    async def respond(self, request: Request) -> Answer | StreamedAnswer:
        """Answer the request. Raise a Problem if it can't be served."""


class Edge:
    """`endpoints` maps a path to its endpoint. A path with a slash at its end is a prefix: a name follows it.

    `other` serves all other paths. Without `tokens`, everybody may call every endpoint. The edge calls `started` when
    the process begins to serve requests.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        other: Endpoint,
        tokens: AccessTokens | None = None,
        observer: Observer = UNOBSERVED,
        access_log: AccessLog | None = None,
        started: Callable[[], None] = lambda: None,
    ) -> None:
        self._endpoints = endpoints
        self._other = other
        self._tokens = tokens
        self._observer = observer
        self._answered = harmless(observer.answered)
        self._access_log = access_log
        self._started = started

    def __rsgi_init__(self, _: object) -> None:
        """The web server calls this method when the worker starts."""
        self._observer.started()
        self._started()

    @property
    def paths(self) -> frozenset[str]:
        """The paths that have an endpoint."""
        return frozenset(self._endpoints)

    async def __rsgi__(self, scope: Scope, connection: Connection) -> None:
        began = time.perf_counter()
        request = Request(scope, connection)
        status = await self._respond(request, began)
        if self._access_log is not None:
            self._access_log.add(request, status, time.perf_counter() - began)
        if status != CLIENT_GONE and request.has_unread_body:
            await drain(request)

    async def _respond(self, request: Request, began: float) -> int:
        """Send the answer. Return its status, or CLIENT_GONE."""
        try:
            answer = await self.answer(request)
            # Before the client can have its answer: then the metrics of a killed worker lack no answered request.
            self._answered(request.route, answer.status, time.perf_counter() - began)
            headers = [("x-request-id", request.correlation_id), *answer.security, *answer.headers]
            if isinstance(answer, StreamedAnswer):
                await send_parts(request, answer, headers)
            else:
                request.sent = len(answer.body)
                headers.append(("content-type", answer.content_type))
                request.connection.response_bytes(answer.status, headers, answer.body)
        except ClientGone:
            return CLIENT_GONE
        return answer.status

    async def answer(self, request: Request) -> Answer | StreamedAnswer:
        """Return the answer. An error becomes a problem."""
        try:
            endpoint = self._find(request)
            if self._tokens is not None and endpoint.scope is not None:
                request.caller = self._tokens.caller(request, endpoint.scope)
            if endpoint.methods is None or request.method in endpoint.methods:
                return await endpoint.respond(request)
            return other_method(request.method, endpoint.methods)
        except Problem as error:
            return error.answer
        except ClientGone:
            raise
        except Exception:
            fields = {"correlation_id": request.correlation_id, "path": request.path, "status": 500}
            logger.exception("A request failed because of a bug", extra=fields)
            return bug()

    def _find(self, request: Request) -> Endpoint:
        """Return the endpoint of the request's path. If a name follows the path, store it in the request."""
        path = request.path
        if endpoint := self._endpoints.get(path):
            if path.endswith("/"):
                return self._other
            request.route = path
            return endpoint
        start = path.find("/", 1) + 1
        if endpoint := self._endpoints.get(path[:start]):
            request.name = path[start:]
            request.route = f"{path[:start]}{{}}"
            return endpoint
        return self._other


def other_method(method: str, methods: Sequence[str]) -> Answer:
    allowed = (("allow", ", ".join(sorted({*methods, "OPTIONS"}))),)
    if method == "OPTIONS":
        return Answer(200, b"", "text/plain", allowed)
    return problem(405, f"The method {method} is not allowed for this path", allowed)


async def send_parts(request: Request, answer: StreamedAnswer, headers: Sequence[tuple[str, str]]) -> None:
    async with answer.resources:
        transport = request.connection.response_stream(answer.status, headers)
        async for part in answer.parts:
            await transport.send_bytes(part)
            request.sent += len(part)
