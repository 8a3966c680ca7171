"""Serves the metrics of a process that has no web server."""

import io
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from readmodel.web.answers import Answer, Problem, bug, problem
from readmodel.web.edge.access import METRICS, AccessTokens
from readmodel.web.metrics import CONTENT_TYPE, PATH

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

logger = logging.getLogger(__name__)

TIMEOUT = 5.0
"""Seconds that a request may take, with its answer. Then the server closes the connection."""
CONNECTIONS = 8
"""Connections that the server keeps open at the same time. It closes further ones at once."""
LONGEST_BODY = 65_536
"""Bytes of a refused request that the server still reads."""


class MetricsServer:
    """Serves `expose()` at /metrics. With `tokens`, a request needs one with the scope `metrics`.

    Several threads may call `expose` at the same time.
    """

    def __init__(self, host: str, port: int, expose: Callable[[], bytes], tokens: AccessTokens | None) -> None:
        self._host = host
        self._port = port
        self._handler = handler_of(expose, tokens)

    def start(self) -> None:
        """Listen, and answer in threads that end with the process. Raise OSError if the port is in use."""
        server = LimitedServer(self._host, self._port, self._handler)
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        shown = f"[{self._host}]" if ":" in self._host else self._host
        logger.info("The metrics are on http://%s:%s%s", shown, self._port, PATH)


class LimitedServer(ThreadingHTTPServer):
    """Has a thread for each connection, and at most CONNECTIONS of them."""

    request_queue_size = 64  # A connection that finds the queue full would wait for a second.

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        [(self.address_family, *_), *_] = socket.getaddrinfo(host, port)
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__((host, port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # The system has no further thread.
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, *_: object) -> None:
        if not isinstance(sys.exception(), OSError):  # That is a client that has gone.
            logger.exception("The server of the metrics can't answer because of a bug")


class TimedReader(io.RawIOBase):
    """Reads from a connection for TIMEOUT seconds in all. A limit for each read would let a client send for days."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline = time.monotonic() + TIMEOUT

    def limit(self) -> None:
        """Give the next operation of the connection the time that is left. Raise TimeoutError if none is left."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self.limit()
        return self._connection.recv_into(buffer)


def handler_of(expose: Callable[[], bytes], tokens: AccessTokens | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        default_request_version = "HTTP/1.0"  # Otherwise, the answer to a malformed request has no headers.

        def setup(self) -> None:
            super().setup()
            self.rfile.close()
            self._timed = TimedReader(self.connection)
            self.rfile = io.BufferedReader(self._timed)

        def version_string(self) -> str:
            """Return the header `Server`. It names no version that could help an attacker."""
            return "allocation"

        def do_GET(self) -> None:
            self._send(self._answer())

        def do_HEAD(self) -> None:
            self._send(self._answer())

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            """Answer a request that the base class refuses."""
            if code == HTTPStatus.NOT_IMPLEMENTED:
                detail = f"The method {self.command} is not allowed for this path"
                self._send(problem(405, detail, (("allow", "GET, HEAD"),)))
            else:
                self._send(problem(code, explain or message or HTTPStatus(code).phrase))
            # If the connection were closed before its body is read, the client could lose the answer.
            self.connection.shutdown(socket.SHUT_WR)
            self.rfile.read(LONGEST_BODY)

        def log_message(self, *_: object) -> None:
            """Log no access. An error of the client is not worth a line either."""

        def _answer(self) -> Answer:
            try:
                if self.path != PATH:
                    raise Problem(404, f"This process serves only {PATH}")
                if tokens is not None:
                    tokens.require(self.headers.get("authorization", ""), METRICS)
                return Answer(200, expose(), CONTENT_TYPE)
            except Problem as refused:
                return refused.answer
            except Exception:
                logger.exception("The metrics can't be shown because of a bug")
                return bug()

        def _send(self, answer: Answer) -> None:
            self._timed.limit()
            self.send_response(answer.status)
            described = (("content-type", answer.content_type), ("content-length", str(len(answer.body))))
            for name, value in (*described, *answer.headers, *answer.security):
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self._timed.limit()
                self.wfile.write(answer.body)

    return Handler
