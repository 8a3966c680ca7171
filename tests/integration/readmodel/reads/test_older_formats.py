"""A generation of an older format gives the answers of the newest one, or none. So an upgrade shows no wrong answer."""

from collections.abc import Iterator

import pytest

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.rebuild import rebuild
from readmodel.store.client import async_redis_client
from readmodel.store.errors import NeedsRebuild
from readmodel.store.formats import NEWEST, Format
from readmodel.store.reads.shared_connection import SharedConnection
from readmodel.store.store import Store
from readmodel.web.health import Finding
from readmodel.web.query_edge import create_query_edge
from readmodel.web.routes import ROUTES
from tests.support.api import Answer
from tests.support.description.described import Description
from tests.support.edge_client import EdgeClient
from tests.support.patience import PATIENCE
from tests.support.readmodel.rebuilds import allocate_some, follow_to_the_end

NAMES = {"allocations": "o1", "orders": "o1", "products": "S1"}


@pytest.fixture
def client(model: Store, redis_url: str) -> Iterator[EdgeClient]:
    connection = SharedConnection(async_redis_client(redis_url, timeout=PATIENCE), model.names, PATIENCE)
    client = EdgeClient(create_query_edge(model, connection, 1, lambda: Finding(None)))
    yield client
    client.run(connection.close())
    client.close()


def path_of(route: str) -> str:
    """Return the path of a query. Its parameters are those of all routes, because a route ignores the others."""
    name = NAMES.get(route.split("/")[1], "o-b1")
    path = route.format(name) + (name if route.endswith("/") else "")
    return f"{path}?id=o1&qty=1"


def answers(client: EdgeClient) -> dict[str, tuple[int, object]]:
    """Return the status and the answer of a query of each route. Of a 503, return only the message."""
    found = {route: client.get(path_of(route)) for route in ROUTES}
    return {route: (one.status, one.json["message"] if one.status == 503 else one.json) for route, one in found.items()}


def check_descriptions(client: EdgeClient) -> None:
    """Compare the answer of each route with its description."""
    description = Description(client.get("/openapi.json").json)
    for path in map(path_of, ROUTES):
        found = client.get(path)
        description.check(
            "GET", path, Answer(found.status, found.headers["content-type"], found.headers, found.body.decode())
        )


@pytest.mark.parametrize("number", range(1, NEWEST + 1))
def test_an_older_format_shows_no_other_answer(
    number: int, bus: MessageBus, model: Store, log: EventLog, client: EdgeClient
) -> None:
    allocate_some(bus)
    follow_to_the_end(model, log)
    expected = answers(client)
    assert {status for status, _ in expected.values()} == {200}
    check_descriptions(client)
    rebuild(model, log, PROJECTION, target=Format(number, kept=100 if number > 1 else 0))
    found = answers(client)
    refused = 503, str(NeedsRebuild())
    assert {route: one for route, one in found.items() if one not in (expected[route], refused)} == {}
