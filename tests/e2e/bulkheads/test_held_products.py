"""A product that another session holds delays only its own commands, and few threads wait for it."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text

from allocation.service_layer.concurrency.lock_waiters import MOST
from tests.support.api import Answer, Api
from tests.support.e2e.database import scalar
from tests.support.e2e.media_types import PROBLEM
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.services import web

CLIENTS = 60
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
LOCKED = (
    "Another transaction holds a lock that the command needs. The command was not executed. "
    "You can send it again: a repeated command has no further effect"
)


@contextmanager
def held(engine: Engine, sku: str) -> Iterator[None]:
    """Hold the row of a product in a session of the test."""
    with engine.connect() as connection:
        connection.execute(text("SELECT FROM products WHERE sku = :sku FOR UPDATE"), {"sku": sku})
        yield


@contextmanager
def clients(port: int, number: int, send: Callable[[Api, int], Answer]) -> Iterator[list[Future[Answer]]]:
    """Send a request from each of so many clients at the same time."""

    def once(client: int) -> Answer:
        api = Api(port)
        try:
            return send(api, client)
        finally:
            api.connection.close()

    with ThreadPoolExecutor(number) as pool:
        yield [pool.submit(once, client) for client in range(number)]


@pytest.mark.slow
def test_a_held_product_stops_no_other_request(engine: Engine, port: int, api: Api) -> None:
    for sku in ("HELD", "FREE"):
        assert api.add_batch(f"b-{sku}", sku, 1_000).status == 201
    assert api.allocate("before", "FREE", 1).status == 202
    with clients(port, CLIENTS, lambda client, n: client.allocate(f"o{n}", "HELD", 1)) as first:
        pass
    assert {future.result().status for future in first} == {202}
    with held(engine, "HELD"), clients(port, CLIENTS, lambda client, n: client.allocate(f"p{n}", "HELD", 1)) as futures:
        refused = eventually(lambda: [f.result() for f in futures if f.done()])
        assert {(answer.status, answer.content_type, answer.headers["retry-after"]) for answer in refused} == {
            (503, PROBLEM, "1")
        }
        assert refused[0].json["message"] == LOCKED
        eventually(lambda: scalar(engine, WAITING) == MOST)
        for number in range(20):
            assert api.allocate(f"free-{number}", "FREE", 1).status == 202
            assert api.allocations("before").status == 200
            assert api.get("health", "live").status == 200
            assert api.is_ready()
        assert scalar(engine, WAITING) <= MOST
    answers = [future.result(PATIENCE) for future in futures]
    assert {answer.status for answer in answers} <= {202, 503}
    assert scalar(engine, "SELECT count(*) FROM order_lines WHERE orderid LIKE 'p%'") == sum(
        answer.status == 202 for answer in answers
    )
    eventually(lambda: api.allocate("after", "HELD", 1).status == 202)


@pytest.mark.slow
def test_commands_of_every_kind_wait_in_few_threads(engine: Engine, port: int, api: Api) -> None:
    """Some of them name only a batch or an order, so the service learns of the held product when it waits for it."""
    for number in range(CLIENTS):
        assert api.add_batch(f"b{number}", "HELD", 10).status == 201
        assert api.allocate(f"o{number}", "HELD", 1).status == 202
    assert api.add_batch("free", "FREE", 100).status == 201
    sends: list[Callable[[Api, int], Answer]] = [
        lambda client, n: client.post("change_batch_quantity", {"ref": f"b{n}", "qty": 20}),
        lambda client, n: client.post("cancel_order", {"orderid": f"o{n}"}),
        lambda client, n: client.post("preview/allocate", {"orderid": f"n{n}", "sku": "HELD", "qty": 1}),
        lambda client, n: client.post("allocate_order", {"orderid": f"m{n}", "lines": [{"sku": "HELD", "qty": 1}]}),
    ]
    with held(engine, "HELD"), clients(port, CLIENTS, lambda client, n: sends[n % 4](client, n)) as futures:
        eventually(lambda: sum(future.done() for future in futures) > CLIENTS // 2)
        eventually(lambda: scalar(engine, WAITING) <= MOST)
        assert api.allocate("other", "FREE", 1).status == 202
        assert api.get("orders", "o1").status == 200
    assert {future.result(PATIENCE).status for future in futures} <= {200, 202, 503}
    eventually(lambda: api.post("cancel_order", {"orderid": "o2"}).status == 202)


@pytest.mark.slow
def test_a_bulk_waits_once_for_a_held_product(engine: Engine, port: int, api: Api) -> None:
    for sku in ("HELD", "FREE"):
        assert api.add_batch(f"b-{sku}", sku, 1_000).status == 201
    lines = [
        {"type": "allocate", "orderid": f"o{number}", "sku": ("HELD", "FREE")[number % 2], "qty": 1}
        for number in range(200)
    ]
    with held(engine, "HELD"):
        results = api.bulk(*lines)
    assert [result["status"] for result in results] == [503, 202] * 100
    assert results[0]["message"] == LOCKED
    assert {result["status"] for result in api.bulk(*lines)} == {202}


@pytest.mark.slow
def test_bulks_for_the_same_products_all_succeed(environment: dict[str, str], relay: None) -> None:
    with web(environment | {"ALLOCATION_THREADS": "64"}, workers=2) as port:
        api = Api(port)
        for number in range(20):
            assert api.add_batch(f"b{number}", f"S{number}", 100_000).status == 201

        def send(client: Api, bulk: int) -> Answer:
            lines = [
                json.dumps({"type": "allocate", "orderid": f"o{bulk}-{n}", "sku": f"S{n % 20}", "qty": 1})
                for n in range(500)
            ]
            return client.post("commands", "\n".join(lines).encode(), "application/x-ndjson")

        with clients(port, 16, send) as futures:
            pass
        answers = [future.result() for future in futures]
        assert {answer.status for answer in answers} == {200}
        statuses = {json.loads(line)["status"] for answer in answers for line in answer.body.splitlines()}
        assert statuses == {202}
        api.connection.close()
