"""The HTTP status and the message of commands and previews that fail."""

import json
from collections.abc import Iterator
from typing import NoReturn

import pytest

from allocation.domain.commands import Allocate
from allocation.domain.errors import UnknownSku
from allocation.entrypoints.http.app import command_endpoints
from allocation.entrypoints.http.database_outage import DatabaseOutage
from allocation.entrypoints.http.responses import BUG, failure, location_of, status_of
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import LockSet, StoreUnavailable
from readmodel.web.edge.bulkheads import Bulkhead
from readmodel.web.edge.edge import Edge
from tests.support.description.edges import pages_without_routes
from tests.support.edge_client import EdgeClient, Response

ALLOCATE = {"orderid": "o1", "sku": "S", "qty": 1}
NOT_MIGRATED = "the database is not migrated"
UNCONFIRMED = "The service could not confirm the command. You can send it again"
PREVIEW_FAILED = "The preview failed. Send it again"


class Overloaded(StoreUnavailable):
    """A reason for unavailability that FAILURES does not name."""


def unavailable(locks: LockSet) -> NoReturn:
    raise Overloaded("overloaded")


@pytest.fixture
def client() -> Iterator[EdgeClient]:
    """Yield a client of an edge that has no available store."""
    bus, threads = MessageBus(unavailable, lambda events: None), Bulkhead("commands", 1)
    endpoints = command_endpoints(bus, threads, threads, lambda written: "", DatabaseOutage())
    client = EdgeClient(Edge(endpoints, pages_without_routes()))
    yield client
    client.close()


@pytest.mark.parametrize(
    ("error", "status"),
    [(UnknownSku("S"), 400), (StoreUnavailable("unreachable"), 503), (Overloaded("overloaded"), 503)],
    ids=["own-status", "base-class", "status-of-the-base-class"],
)
def test_error_has_the_status_of_its_nearest_base_class(error: Exception, status: int) -> None:
    assert status_of(error) == status


def test_error_without_a_status_counts_as_a_bug() -> None:
    assert status_of(ZeroDivisionError()) == BUG


@pytest.mark.parametrize(
    ("route", "message"),
    [("/allocate", f"{UNCONFIRMED}: a repeated command has no further effect"), ("/preview/allocate", PREVIEW_FAILED)],
    ids=["command", "preview"],
)
def test_client_can_retry_when_the_store_is_unavailable(client: EdgeClient, route: str, message: str) -> None:
    response = client.post(route, ALLOCATE)
    assert (response.status, response.headers["retry-after"]) == (503, "1")
    assert response.json["message"] == message


def test_bulk_line_has_the_status_of_its_nearest_base_class(client: EdgeClient) -> None:
    line = ALLOCATE | {"type": "allocate"}
    result = client.post("/commands", line, "application/x-ndjson").json
    assert result["status"] == 503
    assert result["message"].startswith(UNCONFIRMED)


@pytest.mark.parametrize("client_leaves_at", [0, 1])
def test_client_that_leaves_frees_the_thread_of_its_bulk(client: EdgeClient, client_leaves_at: int) -> None:
    line = json.dumps(ALLOCATE | {"type": "allocate"}).encode()
    leaving = client.request(
        "POST", "/commands", Response(line, client_leaves_at), **{"content-type": "application/x-ndjson"}
    )
    assert leaving.body == b""
    assert client.post("/commands", line, "application/x-ndjson").status == 200, "the only thread is free again"


@pytest.mark.parametrize("name", [".", "..", "../x", "a/./b", "../../x"])
def test_name_with_a_dot_segment_gets_no_location(name: str) -> None:
    """Clients and proxies would shorten the path."""
    assert location_of(Allocate(name, "S", 1)) == ()
    assert location_of(Allocate(f"x{name}x".replace("/", ""), "S", 1)) != ()


@pytest.mark.parametrize("name", ["x/history", "/history", "x/history/history"])
def test_order_named_like_a_history_has_its_own_location(name: str) -> None:
    """The path /orders/x%2Fhistory is the history of the order x."""
    assert location_of(Allocate(name, "S", 1)) == (("location", f"/orders?id={name.replace('/', '%2F')}"),)


def test_the_client_sees_the_reason_but_no_detail() -> None:
    error = StoreUnavailable("the database is not migrated: relation secret_table is missing", NOT_MIGRATED)
    assert failure(error).message == (
        "The service could not confirm the command, because the database is not migrated. "
        "You can send it again: a repeated command has no further effect"
    )
