"""Requests as the web server passes them on (RSGI)."""

from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Protocol

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from readmodel.correlation import correlation_id
from readmodel.web.answers import Problem

ClientGone = ProtocolClosed
"""The error of a connection that the client has closed."""
OTHER = "other"


class ServerHeaders(Protocol):
    """The headers of a request. Names are in lower case. `get` returns None if a value is not printable ASCII."""

    def __contains__(self, name: str) -> bool: ...
    def get(self, name: str) -> str | None: ...
    def items(self) -> list[tuple[str, str]]: ...


class Scope(Protocol):
    """`path` is decoded, and `query_string` is not."""

    method: str
    path: str
    query_string: str
    scheme: str
    client: str

    @property
    def headers(self) -> ServerHeaders: ...


class Transport(Protocol):
    async def send_bytes(self, data: bytes) -> None: ...


class Connection(Protocol):
    """Reads the body of one request and sends its response."""

    def __call__(self) -> Awaitable[bytes]: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def response_bytes(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None: ...
    def response_stream(self, status: int, headers: Iterable[tuple[str, str]]) -> Transport: ...


class Request:
    """One request. `name` is the part of the path that names an order, a product or a batch.

    `route` is the path with {} instead of this name, or OTHER if no endpoint has the path. `caller` is the name of the
    access token, or None if the service needs no tokens. `correlation_id` is the id of the request in logs, events and
    messages. `sent` is the number of bytes of the response's body.
    """

    __slots__ = (
        "_parts",
        "_was_read",
        "caller",
        "connection",
        "correlation_id",
        "headers",
        "method",
        "name",
        "path",
        "route",
        "scope",
        "sent",
    )

    def __init__(self, scope: Scope, connection: Connection) -> None:
        self.scope = scope
        self.connection = connection
        self.headers = scope.headers
        self.method = scope.method
        self.path = scope.path
        self.name = ""
        self.route = OTHER
        self.caller: str | None = None
        self.correlation_id = correlation_id(self._single("traceparent"), self._single("x-request-id"))
        self.sent = 0
        self._parts: AsyncIterator[bytes] | None = None
        self._was_read = False

    def _single(self, name: str) -> str | None:
        """Return the value of a header that occurs once and is readable, or None."""
        if name not in self.headers:
            return None
        values = [value for key, value in self.headers.items() if key == name]
        return values[0] if len(values) == 1 else None

    async def read(self) -> bytes:
        """Return the whole body. Raise ClientGone if it is cut."""
        body = await self.connection()
        self._was_read = True
        return body

    @property
    def parts(self) -> AsyncIterator[bytes]:
        """The parts of the body that nobody has read. If the client cuts the body, they end without an error."""
        if self._parts is None:
            self._parts = aiter(self.connection)
        return self._parts

    def header(self, name: str) -> str | None:
        """Return the value of a header, or None. Raise a Problem if the header occurs twice or is not readable."""
        if name not in self.headers:
            return None
        values = [value for key, value in self.headers.items() if key == name]
        if len(values) != 1:
            reason = "occurs more than once" if values else "must be printable ASCII"
            raise Problem(400, f"The header {name.title()} {reason}")
        return values[0]

    @property
    def content_length(self) -> int | None:
        """The length that the request declares, or None if it comes in chunks: then the web server ignores the length.

        The web server refuses a header that is not a number.
        """
        length = self.headers.get("content-length")
        return None if length is None or "transfer-encoding" in self.headers else int(length)

    @property
    def has_unread_body(self) -> bool:
        return not self._was_read and ("transfer-encoding" in self.headers or self.content_length not in {None, 0})

    @property
    def media_type(self) -> str:
        return (self.headers.get("content-type") or "").partition(";")[0].strip().lower()
