"""The endpoints of `/openapi.json` and of the page `/docs`, which shows it."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import orjson

from readmodel.web.answers import JSON, Answer
from readmodel.web.description.document import document
from readmodel.web.description.operations import Operations
from readmodel.web.edge.bulkheads import Bulkhead
from readmodel.web.edge.edge import Endpoint
from readmodel.web.edge.request import Request
from readmodel.web.files import Files, cacheable


class Description:
    """Describes the routes of a process. It makes the document at the first request, because few processes need it."""

    def __init__(self, operations: Callable[[], Operations], *, needs_tokens: bool) -> None:
        self._operations = operations
        self._needs_tokens = needs_tokens

    @cached_property
    def json(self) -> bytes:
        return orjson.dumps(document(self._operations(), needs_tokens=self._needs_tokens))

    @cached_property
    def index(self) -> dict[str, Any]:
        """Return {"routes": [{"method", "path", "summary"}, …], "openapi", "docs"}."""
        routes = [
            {"method": one.method, "path": path, "summary": one.summary} for path, one in self._operations().items()
        ]
        return {"routes": routes, "openapi": "/openapi.json", "docs": "/docs"}


class OpenApi:
    """The endpoint of the description. It needs no access token, because it contains no data of the service."""

    methods = ("GET", "HEAD")
    scope = None

    def __init__(self, description: Description, threads: Bulkhead) -> None:
        self._description = description
        self._threads = threads

    async def respond(self, request: Request) -> Answer:
        return cacheable(request, await self._threads.run(self._json), JSON)

    def _json(self) -> bytes:
        return self._description.json


def description_endpoints(description: Description, threads: Bulkhead) -> Mapping[str, Endpoint]:
    files = Files()
    return {"/openapi.json": OpenApi(description, threads), "/docs": files, "/docs/": files}
