"""Clients send commands to one process and queries to another one. The second process reads a replica that lags."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.api import Answer, Api
from tests.support.forwarder import Forwarder
from tests.support.redis_failures.nodes import Node, replica
from tests.support.redis_failures.service import Service
from tests.support.services import web

CLIENTS, ORDERS, LAG = 4, 20, 0.3


class Read(NamedTuple):
    """The answers to queries that follow a command: without its token, with it, and for its batch with it.

    `own_units` is what this client has allocated on the batch.
    """

    without: Answer
    order: Answer
    batch: Answer
    own_units: int


@pytest.fixture
def query_port(primary: Node, link: Forwarder, service: Service, tmp_path: Path) -> Iterator[int]:
    """Run a process that has no address of PostgreSQL, and a replica of Redis that lags."""
    with (
        replica(tmp_path / "copy", primary, link=link.port) as copy,
        web({"REDIS_URL": copy.url, "ALLOCATION_READ_PATIENCE": "20"}, "queries") as port,
    ):
        link.lag = LAG
        yield port


def write_and_read(client: int, service: Service, query_port: int) -> list[Read]:
    """Allocate orders. Query each of them at the other process, immediately after its command."""
    commands, queries = Api(service.port), Api(query_port)
    found = []
    for number in range(ORDERS):
        orderid = f"o{client}-{number}"
        written = commands.allocate(orderid, "S", 1)
        assert written.status == 202
        token = written.headers["allocation-token"]
        without = queries.get("allocations", orderid)
        path = f"/allocations/{orderid}"
        with_parameter = number % 2 == 0
        order = (
            queries.request("GET", f"{path}?at_least={token}") if with_parameter else queries.get_at_least(token, path)
        )
        batch = queries.get_at_least(token, "/batches/b0")
        found.append(Read(without, order, batch, number + 1))
    for api in (commands, queries):
        api.connection.close()
    return found


@pytest.mark.slow
def test_no_reader_with_a_token_misses_its_write(service: Service, query_port: int) -> None:
    written = service.api.add_batch("b0", "S", CLIENTS * ORDERS)
    with closing(Api(query_port).connection) as connection:
        connection.request("GET", f"/products/S?at_least={written.headers['allocation-token']}")
        assert connection.getresponse().status == 200
    with ThreadPoolExecutor(CLIENTS) as pool:
        every = pool.map(lambda client: write_and_read(client, service, query_port), range(CLIENTS))
        reads = [read for client in every for read in client]
    assert len(reads) == CLIENTS * ORDERS
    assert {read.order.status for read in reads} == {200}
    assert all(len(read.order.json) == 1 for read in reads)
    assert all(read.batch.json["allocated"] >= read.own_units for read in reads)
    missed = sum(read.without.status == 404 for read in reads)
    assert missed > len(reads) / 2, "the replica lags, so that most queries without a token miss the write"


@pytest.mark.slow
def test_a_bulk_has_a_token_in_each_result(service: Service, query_port: int) -> None:
    service.api.add_batch("b0", "S", 100)
    lines = [{"type": "allocate", "orderid": f"o{number}", "sku": "S", "qty": 1} for number in range(10)]
    results = service.api.bulk(*lines, {"type": "allocate", "orderid": "o11", "sku": "GHOST", "qty": 1})
    assert "token" not in results.pop()
    queries = Api(query_port)
    for number, result in enumerate(results):
        answer = queries.get_at_least(result["token"], f"/orders/o{number}")
        assert (answer.status, len(answer.json["lines"])) == (200, 1)
    queries.connection.close()


@pytest.mark.slow
def test_a_token_holds_for_each_of_several_orders(service: Service, query_port: int) -> None:
    service.api.add_batch("b0", "S", 100)
    queries = Api(query_port)
    for number in range(10):
        token = service.api.allocate(f"o{number}", "S", 1).headers["allocation-token"]
        answer = queries.request("GET", f"/orders?id=ghost&id=o{number}&at_least={token}")
        assert answer.json["unknown"] == ["ghost"]
    queries.connection.close()
