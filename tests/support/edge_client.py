"""A client that sends requests to an edge in this process, without a web server."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from readmodel.web.edge.edge import Edge
from readmodel.web.edge.request import ClientGone


@dataclass
class Headers:
    pairs: list[tuple[str, str]]

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.pairs)

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.pairs if key == name), None)

    def items(self) -> list[tuple[str, str]]:
        return self.pairs


@dataclass
class Scope:
    method: str
    path: str
    headers: Headers
    query_string: str = ""
    scheme: str = "http"
    client: str = "127.0.0.1:1"


@dataclass
class Response:
    """The connection of one request. It holds the request's body, and then the response.

    If `client_leaves_at` is not None, the client has gone at that part of a streamed response. Part 0 is its head.
    """

    request_body: bytes
    client_leaves_at: int | None = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    parts: int = 0

    async def __call__(self) -> bytes:
        return self.request_body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.request_body

    def response_bytes(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, dict(headers), body

    def response_stream(self, status: int, headers: Iterable[tuple[str, str]]) -> "Response":
        self._require_client(parts=0)
        self.status, self.headers = status, dict(headers)
        return self

    async def send_bytes(self, data: bytes) -> None:
        self.parts += 1
        self._require_client(self.parts)
        self.body += data

    def _require_client(self, parts: int) -> None:
        if self.client_leaves_at is not None and parts >= self.client_leaves_at:
            raise ClientGone

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class EdgeClient:
    """Close it after use, to end its event loop."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._runner = asyncio.Runner()

    def get(self, path: str) -> Response:
        return self.request("GET", path)

    def post(self, path: str, body: object, content_type: str = "application/json", **headers: str) -> Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", path, Response(raw), **{"content-type": content_type}, **headers)

    def request(self, method: str, path: str, response: Response | None = None, **headers: str) -> Response:
        """Send the request whose body `response` holds. Return the completed response."""
        response = response or Response(b"")
        pairs = [(name.lower(), value) for name, value in headers.items()]
        if response.request_body:
            pairs.append(("content-length", str(len(response.request_body))))
        name, _, query = path.partition("?")
        self._runner.run(self._edge.__rsgi__(Scope(method, name, Headers(pairs), query), response))
        return response

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self._runner.run(work)

    def close(self) -> None:
        self._runner.close()
