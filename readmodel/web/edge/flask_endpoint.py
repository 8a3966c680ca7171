"""Serves the Flask app of the pages behind the edge."""

import sys
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from readmodel.web.answers import Answer
from readmodel.web.edge.access import ANY
from readmodel.web.edge.bulkheads import Bulkhead
from readmodel.web.edge.request import Request
from readmodel.web.pages import from_http_exception


class FlaskEndpoint:
    """Runs the app in the threads of `bulkhead`. The app gets no request body. An unknown path needs no thread."""

    methods = None
    scope = ANY

    def __init__(self, app: Flask, bulkhead: Bulkhead) -> None:
        self._app = app
        self._bulkhead = bulkhead

    async def respond(self, request: Request) -> Answer:
        try:
            self._app.url_map.bind("localhost").match(request.path, request.method)
        except HTTPException as error:
            return from_http_exception(error)
        return await self._bulkhead.run(self._call, environ_of(request))

    def _call(self, environ: dict[str, Any]) -> Answer:
        status, headers = 500, list[tuple[str, str]]()

        def start_response(line: str, found: list[tuple[str, str]], _: object = None) -> None:
            nonlocal status, headers
            status, headers = int(line.split()[0]), [(name.lower(), value) for name, value in found]

        parts: Iterable[bytes] = self._app.wsgi_app(environ, start_response)  # type: ignore[arg-type]
        try:
            body = b"".join(parts)
        finally:
            getattr(parts, "close", lambda: None)()
        content_type = dict(headers).get("content-type", "text/plain")
        kept = tuple(header for header in headers if header[0] not in {"content-type", "content-length"})
        return Answer(status, body, content_type, kept)


def environ_of(request: Request) -> dict[str, Any]:
    """Return the request as a WSGI environment. Names with an underscore are dropped: they could pose as others."""
    scope = request.scope
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": "0",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" not in name and name not in {"content-length", "content-type"}:
            environ["HTTP_" + name.upper().replace("-", "_")] = value
    return environ
