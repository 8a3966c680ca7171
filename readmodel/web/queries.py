"""The endpoint of a query. It reads Redis and nothing else."""

from collections.abc import Mapping

from redis.exceptions import RedisError

from readmodel.store.errors import ModelAbsent, ModelOutdated, NeedsRebuild, UnknownFormat
from readmodel.store.lists import BadNext
from readmodel.store.reads.consistency import ConsistencyToken, NotYet, OtherHistory
from readmodel.store.reads.reader import Reader
from readmodel.store.reads.reading import Reading
from readmodel.store.registers import LONGEST_SHOWN
from readmodel.views.order_history import NoHistory
from readmodel.web.answers import RETRY_LATER, Answer, json_answer, problem
from readmodel.web.edge.access import QUERY
from readmodel.web.edge.request import Request
from readmodel.web.parameters import require_identifier, token_of
from readmodel.web.readings import Readings
from readmodel.web.routes import ROUTES, Fetch, Route

TIMEOUT = 2.0
REBUILDING = "The read model is being rebuilt"
UNREACHABLE = "The read model is unreachable"
NOT_YET = "The views do not show the command of this consistency token yet"
OTHER_HISTORY = (
    "The views show another history than the token. The database was restored or has lost commands, or the token is of"
    " another service. Query without the token, and send the command again if the views do not show it"
)
BAD_NEXT = "next must be the member `next` of the previous page of the same list, not {!r}"
NO_HISTORY = "This service keeps no history of orders"


class Query:
    """The endpoint of one route, and of the routes below it. `parts` maps their last parts to them."""

    methods = ("GET", "HEAD")
    scope = QUERY

    def __init__(self, reader: Reader, readings: Readings, route: Route, parts: Mapping[str, Route]) -> None:
        self._reader = reader
        self._readings = readings
        self._route = route
        self._parts = parts

    async def respond(self, request: Request) -> Answer:
        route = self._find(request)
        require_identifier(request.name)
        reading = self._read(route.prepare(request), token_of(request), route.not_found.format(request.name))
        return await self._readings.complete(reading)

    def _find(self, request: Request) -> Route:
        """Return the route of the request. If it is one of `parts`, remove that part from the request's name."""
        name, _, part = request.name.rpartition("/")
        if not name or part not in self._parts:
            return self._route
        request.name = name
        request.route = f"{request.route}/{part}"
        return self._parts[part]

    def _read(self, fetch: Fetch, token: ConsistencyToken | None, not_found: str) -> Reading[Answer]:
        try:
            found, warning = yield from self._reader.read_at_least(token, fetch)
        except NeedsRebuild as error:
            return problem(503, str(error))
        except (ModelAbsent, RedisError) as error:
            return problem(503, reason_of(error), RETRY_LATER)
        except NotYet:
            return problem(503, NOT_YET, RETRY_LATER)
        except BadNext as error:
            return problem(400, BAD_NEXT.format(str(error)[:LONGEST_SHOWN]))
        except OtherHistory:
            return problem(409, OTHER_HISTORY)
        except NoHistory:
            return problem(404, NO_HISTORY)
        headers = () if warning is None else (("allocation-views", warning),)
        if found:
            return json_answer(found, headers=headers)
        return problem(404, not_found, headers)


def query_endpoints(reader: Reader, readings: Readings) -> dict[str, Query]:
    """Return the endpoints by path. A route with a name in its middle belongs to the endpoint of its first part."""
    endpoints = dict[str, Query]()
    for path, route in ROUTES.items():
        if "{" not in path:
            start = f"{path}{{}}/"
            parts = {other.removeprefix(start): found for other, found in ROUTES.items() if other.startswith(start)}
            endpoints[path] = Query(reader, readings, route, parts)
    return endpoints


def reason_of(error: ModelAbsent | RedisError) -> str:
    if isinstance(error, RedisError):
        return UNREACHABLE
    return str(error) if isinstance(error, (ModelOutdated, UnknownFormat)) else REBUILDING
