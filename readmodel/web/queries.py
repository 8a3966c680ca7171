"""The query routes. They read Redis and nothing else."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from redis.exceptions import RedisError

from readmodel.store.errors import ModelAbsent, ModelOutdated
from readmodel.store.reads.reader import Reader
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.views import batches, orders, products
from readmodel.web.answers import RETRY_LATER, Answer, Problem, json_answer, problem
from readmodel.web.edge.access import QUERY
from readmodel.web.edge.request import Request
from readmodel.web.readings import Readings

TIMEOUT = 2.0
REBUILDING = "The read model is being rebuilt"
UNREACHABLE = "The read model is unreachable"

Fetch = Callable[[Snapshot, Request], Reading[Any]]
ROUTES: dict[str, tuple[Fetch, str]] = {
    "/allocations/": (
        lambda snapshot, request: orders.allocations(snapshot, request.name),
        "Order {} has no allocated line",
    ),
    "/orders/": (
        lambda snapshot, request: orders.order(snapshot, request.name, explain=flag(request, "explain")),
        "There is no order {}",
    ),
    "/products/": (lambda snapshot, request: products.product(snapshot, request.name), "There is no product {}"),
    "/batches/": (lambda snapshot, request: batches.batch(snapshot, request.name), "There is no batch {}"),
}
"""Maps each route to the function that reads its view, and to the message of a 404. A name follows the route."""


class Query:
    """The endpoint of one route. It reads Redis."""

    methods = ("GET", "HEAD")
    scope = QUERY

    def __init__(self, reader: Reader, readings: Readings, fetch: Fetch, not_found: str) -> None:
        self._reader = reader
        self._readings = readings
        self._fetch = fetch
        self._not_found = not_found

    async def respond(self, request: Request) -> Answer:
        return await self._readings.complete(self._read(request))

    def _read(self, request: Request) -> Reading[Answer]:
        try:
            found, warning = yield from self._reader.read(lambda snapshot: self._fetch(snapshot, request))
        except (ModelAbsent, RedisError) as error:
            return problem(503, reason_of(error), RETRY_LATER)
        headers = () if warning is None else (("allocation-views", warning),)
        if found:
            return json_answer(found, headers=headers)
        return problem(404, self._not_found.format(request.name), headers)


def query_endpoints(reader: Reader, readings: Readings) -> dict[str, Query]:
    return {route: Query(reader, readings, fetch, not_found) for route, (fetch, not_found) in ROUTES.items()}


def flag(request: Request, name: str) -> bool:
    if not request.scope.query_string:
        return False
    value = parse_qs(request.scope.query_string, keep_blank_values=True).get(name, ["0"])[0]
    if value not in {"0", "1"}:
        raise Problem(400, f"{name} must be 0 or 1, not {value!r}")
    return value == "1"


def reason_of(error: ModelAbsent | RedisError) -> str:
    if isinstance(error, RedisError):
        return UNREACHABLE
    return str(error) if isinstance(error, ModelOutdated) else REBUILDING
