"""The query routes. They read Redis and nothing else."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs

from redis.exceptions import RedisError

from readmodel.store.errors import ModelAbsent, ModelOutdated
from readmodel.store.reads.consistency import BadToken, ConsistencyToken, NotYet, OtherHistory
from readmodel.store.reads.reader import Reader
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.registers import LONGEST_SHOWN
from readmodel.views import batches, orders, products
from readmodel.web.answers import RETRY_LATER, Answer, Problem, json_answer, problem
from readmodel.web.edge.access import QUERY
from readmodel.web.edge.request import Request
from readmodel.web.readings import Readings

TIMEOUT = 2.0
REBUILDING = "The read model is being rebuilt"
UNREACHABLE = "The read model is unreachable"
NOT_YET = "The views do not show the command of this consistency token yet"
OTHER_HISTORY = (
    "The views show another history than the token. The database was restored or has lost commands, or the token is of"
    " another service"
)
MOST_ORDERS, MOST_PARAMETERS = 100, 200
LONGEST_IDENTIFIER = 255

Fetch = Callable[[Snapshot], Reading[Any]]
Prepare = Callable[[Request], Fetch]


def prepare_order(request: Request) -> Fetch:
    explain = flag(request, "explain")
    return lambda snapshot: orders.order(snapshot, request.name, explain=explain)


def prepare_orders(request: Request) -> Fetch:
    orderids = list(dict.fromkeys(parameters(request, "id")))
    if not 1 <= len(orderids) <= MOST_ORDERS:
        raise Problem(400, f"The parameter id must occur 1 to {MOST_ORDERS} times, not {len(orderids)} times")
    for orderid in orderids:
        require_identifier(orderid)
    explain = flag(request, "explain")
    return lambda snapshot: several_orders(snapshot, orderids, explain)


def several_orders(snapshot: Snapshot, orderids: Sequence[str], explain: bool) -> Reading[dict[str, list[Any]]]:
    """Return {"orders": [{…}, …], "unknown": [id, …]}."""
    found = yield from orders.orders(snapshot, orderids, explain=explain)
    unknown = [orderid for orderid, order in zip(orderids, found, strict=True) if order is None]
    return {"orders": [order for order in found if order is not None], "unknown": unknown}


ROUTES: dict[str, tuple[Prepare, str]] = {
    "/allocations/": (
        lambda request: lambda snapshot: orders.allocations(snapshot, request.name),
        "Order {} has no allocated line",
    ),
    "/orders/": (prepare_order, "There is no order {}"),
    "/orders": (prepare_orders, ""),
    "/products/": (
        lambda request: lambda snapshot: products.product(snapshot, request.name),
        "There is no product {}",
    ),
    "/batches/": (lambda request: lambda snapshot: batches.batch(snapshot, request.name), "There is no batch {}"),
}
"""Maps each route to a function and to the message of a 404. A name follows a route with a slash at its end.

The function checks the parameters of a request, and returns the function that reads its view. It may raise a Problem.
"""


class Query:
    """The endpoint of one route. It reads Redis."""

    methods = ("GET", "HEAD")
    scope = QUERY

    def __init__(self, reader: Reader, readings: Readings, prepare: Prepare, not_found: str) -> None:
        self._reader = reader
        self._readings = readings
        self._prepare = prepare
        self._not_found = not_found

    async def respond(self, request: Request) -> Answer:
        require_identifier(request.name)
        reading = self._read(self._prepare(request), token_of(request), request.name)
        return await self._readings.complete(reading)

    def _read(self, fetch: Fetch, token: ConsistencyToken | None, name: str) -> Reading[Answer]:
        try:
            found, warning = yield from self._reader.read_at_least(token, fetch)
        except (ModelAbsent, RedisError) as error:
            return problem(503, reason_of(error), RETRY_LATER)
        except NotYet:
            return problem(503, NOT_YET, RETRY_LATER)
        except OtherHistory:
            return problem(409, OTHER_HISTORY)
        headers = () if warning is None else (("allocation-views", warning),)
        if found:
            return json_answer(found, headers=headers)
        return problem(404, self._not_found.format(name), headers)


def query_endpoints(reader: Reader, readings: Readings) -> dict[str, Query]:
    return {route: Query(reader, readings, prepare, not_found) for route, (prepare, not_found) in ROUTES.items()}


def require_identifier(name: str) -> None:
    """Raise a Problem if the name is too long for an order, a product or a batch. Caches keep keys of such names."""
    if len(name) > LONGEST_IDENTIFIER:
        shown = repr(name[:LONGEST_SHOWN])
        raise Problem(400, f"An identifier has at most {LONGEST_IDENTIFIER} characters, not {len(name)}: {shown}")


def token_of(request: Request) -> ConsistencyToken | None:
    """Return the consistency token in the request's header, or in its parameter `at_least`. Raise a Problem."""
    header = request.header("allocation-token")
    texts = [*([] if header is None else [header]), *parameters(request, "at_least")]
    if not texts:
        return None
    if len(texts) > 1:
        raise Problem(400, f"A query may have one consistency token, not {len(texts)}")
    name, text = "at_least" if header is None else "Allocation-Token", texts[0]
    try:
        return ConsistencyToken.parse(text)
    except BadToken:
        raise Problem(
            400, f"{name} must be a token from the answer to a command, not {text[:LONGEST_SHOWN]!r}"
        ) from None


def parameter(request: Request, name: str) -> str | None:
    """Return the first value of a parameter in the query, or None."""
    return next(iter(parameters(request, name)), None)


def parameters(request: Request, name: str) -> list[str]:
    """Return the values of a parameter in the query. Raise a Problem if the query has too many parameters."""
    if not request.scope.query_string:
        return []
    try:
        found = parse_qs(request.scope.query_string, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise Problem(400, f"A query may have at most {MOST_PARAMETERS} parameters") from None
    return found.get(name, [])


def flag(request: Request, name: str) -> bool:
    value = parameter(request, name)
    if value is None:
        return False
    if value not in {"0", "1"}:
        raise Problem(400, f"{name} must be 0 or 1, not {value!r}")
    return value == "1"


def reason_of(error: ModelAbsent | RedisError) -> str:
    if isinstance(error, RedisError):
        return UNREACHABLE
    return str(error) if isinstance(error, ModelOutdated) else REBUILDING
