"""Serves the metrics of a process that has no web server."""

import logging
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import getaddrinfo

from readmodel.web.answers import Problem
from readmodel.web.edge.access import METRICS, AccessTokens
from readmodel.web.metrics import CONTENT_TYPE, PATH

logger = logging.getLogger(__name__)

TIMEOUT = 5.0
"""Seconds that the server waits for a client. It serves one request after the other."""


class MetricsServer:
    """Serves `expose()` at /metrics. With `tokens`, a request needs one with the scope `metrics`."""

    def __init__(self, host: str, port: int, expose: Callable[[], bytes], tokens: AccessTokens | None) -> None:
        self._host = host
        self._port = port
        self._handler = handler_of(expose, tokens)

    def start(self) -> None:
        """Listen, and answer in a thread that ends with the process. Raise OSError if the port is in use."""
        [(family, *_), *_] = getaddrinfo(self._host, self._port)

        class Server(HTTPServer):
            address_family = family

            def handle_error(self, *_: object) -> None:
                if not isinstance(sys.exception(), OSError):  # That is a client that has gone.
                    logger.exception("The metrics can't be shown because of a bug")

        server = Server((self._host, self._port), self._handler)
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        shown = f"[{self._host}]" if ":" in self._host else self._host
        logger.info("The metrics are on http://%s:%s%s", shown, self._port, PATH)


def handler_of(expose: Callable[[], bytes], tokens: AccessTokens | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT

        def do_GET(self) -> None:
            try:
                if self.path != PATH:
                    raise Problem(404, f"This process serves only {PATH}")
                if tokens is not None:
                    tokens.require(self.headers.get("authorization", ""), METRICS)
                self._send(200, CONTENT_TYPE, expose())
            except Problem as problem:
                answer = problem.answer
                self._send(answer.status, answer.content_type, answer.body, *answer.headers)

        def log_message(self, *_: object) -> None:
            """Log no access. An error of the client is not worth a line either."""

        def _send(self, status: int, content_type: str, body: bytes, *headers: tuple[str, str]) -> None:
            self.send_response(status)
            for name, value in (("content-type", content_type), ("content-length", str(len(body))), *headers):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler
