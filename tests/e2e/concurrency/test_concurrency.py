"""Many at once on the same rows: judged by plain SQL."""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, text

from readmodel.store.store import Store
from tests.model.oracle import assert_the_state_is_sound, views_are_the_state
from tests.support.api import Answer, Api
from tests.support.eventually import eventually
from tests.support.services import web
from tests.support.waits import lock_waits

THREADS = 16


@pytest.fixture
def ports(environment: dict[str, str], relay: None) -> Iterator[list[int]]:
    """Two services over the same stores, two processes each with threads of its own."""
    with ExitStack() as stack:
        yield [stack.enter_context(web(environment)) for _ in range(2)]


def at_once(ports: list[int], requests: list[Callable[[Api], Answer]]) -> list[Answer]:
    """Send the requests from many threads, spread over the services; answers in the order of the requests."""
    clients = threading.local()
    opened: list[Api] = []

    def send(numbered: tuple[int, Callable[[Api], Answer]]) -> Answer:
        number, request = numbered
        if not hasattr(clients, "apis"):
            clients.apis = [Api(port) for port in ports]
            opened.extend(clients.apis)
        return request(clients.apis[number % len(ports)])

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(send, enumerate(requests)))
    for api in opened:
        api.connection.close()
    return answers


def test_one_sku_for_many_threads_and_two_processes(ports: list[int], engine: Engine) -> None:
    # W1, W2, W3
    api = Api(ports[0])
    stock = {"wh": 300, "ship-1": 200, "ship-2": 50}
    wanted = {f"o{n}": n % 4 + 1 for n in range(400)}
    api.add_batch("wh", "HOT", stock["wh"])
    api.add_batch("ship-1", "HOT", stock["ship-1"], "2027-01-15")
    requests: list[Callable[[Api], Answer]] = []
    for orderid, qty in wanted.items():
        # Twice, to different processes at nearly the same time: a client that lost patience.
        requests += [lambda api, o=orderid, q=qty: api.allocate(o, "HOT", q)] * 2  # type: ignore[misc]
    requests.insert(500, lambda api: api.add_batch("ship-2", "HOT", stock["ship-2"], "2027-03-01"))
    with lock_waits(engine) as waits:
        answers = at_once(ports, requests)
    assert Counter(answer.status for answer in answers) == {202: 800, 201: 1}
    assert len(waits) > 1, "nobody waited for anybody: nothing was raced"

    with engine.connect() as connection:
        lines = connection.execute(text("SELECT orderid, qty, batchref FROM order_lines")).all()
        batches = connection.execute(text("SELECT ref, purchased, allocated FROM batches")).all()
        versions = connection.execute(text("SELECT count(*), max(version) FROM events WHERE sku = 'HOT'")).one()
    assert {line.orderid: line.qty for line in lines} == wanted
    for batch in batches:
        on_it = sum(line.qty for line in lines if line.batchref == batch.ref)
        assert on_it == batch.allocated <= batch.purchased == stock[batch.ref]
    largest_room = max(batch.purchased - batch.allocated for batch in batches)
    assert all(line.qty > largest_room for line in lines if line.batchref is None), "no line waits that would fit"
    assert versions[0] == versions[1], "versions without a gap"

    expected = {line.orderid: line.batchref for line in lines}
    eventually(lambda: batches_in_the_views(api, wanted) == expected)
    api.connection.close()


def batches_in_the_views(api: Api, orderids: dict[str, int]) -> dict[str, str | None]:
    return {orderid: api.get("orders", orderid).json["lines"][0]["batchref"] for orderid in orderids}


def test_the_first_batches_of_a_sku_at_once(ports: list[int], engine: Engine) -> None:
    # W10
    for n in range(20):
        requests: list[Callable[[Api], Answer]] = [
            lambda api, n=n, k=k: api.add_batch(f"b{n}-{k}", f"NEW-{n}", 5)  # type: ignore[misc]
            for k in range(THREADS)
        ]
        assert {answer.status for answer in at_once(ports, requests)} == {201}
    with engine.connect() as connection:
        assert set(connection.execute(text("SELECT available FROM products")).scalars()) == {THREADS * 5}


def test_one_reference_under_many_skus_at_once(ports: list[int], engine: Engine) -> None:
    # W9
    for n in range(20):
        requests: list[Callable[[Api], Answer]] = [
            lambda api, n=n, k=k: api.add_batch(f"b{n}", f"SKU-{k}", 5)  # type: ignore[misc]
            for k in range(THREADS)
        ]
        statuses = Counter(answer.status for answer in at_once(ports, requests))
        assert statuses == {201: 1, 409: THREADS - 1}
    with engine.connect() as connection:
        assert connection.execute(text("SELECT sum(available) FROM products")).scalar_one() == 20 * 5


def test_who_repeats_a_command_while_it_is_carried_out_sees_its_effect_too(ports: list[int]) -> None:
    """A client that lost patience gets its 202 for what the first attempt has done, and its next query shows it."""
    at_once(ports, [lambda api: api.add_batch("b1", "S", 1_000)])
    times = 300

    def allocate_and_look(orderid: str, api: Api) -> Answer:
        assert api.allocate(orderid, "S", 1).status == 202
        return api.allocations(orderid)

    requests: list[Callable[[Api], Answer]] = [
        partial(allocate_and_look, f"o{n}") for n in range(times) for _ in range(2)
    ]
    assert Counter(answer.status for answer in at_once(ports, requests)) == {200: 2 * times}


def test_everything_at_once_on_few_skus(ports: list[int], engine: Engine, model: Store) -> None:
    """Orders come and go, batches are added, shrink, grow and move, for as long as CHAOS_SECONDS says."""
    # W1, W2, W3, W12, W13, W14
    deadline = time.monotonic() + float(os.environ.get("CHAOS_SECONDS", "8"))
    with lock_waits(engine) as waits, ThreadPoolExecutor(THREADS) as pool:
        deadlocks = deadlocks_so_far(engine)
        answers = Counter[tuple[str, int]]()
        for counted in pool.map(lambda seed: chaos(Random(seed), ports[seed % len(ports)], deadline), range(THREADS)):
            answers += counted
    assert {status for _, status in answers} <= {201, 202, 400, 404, 409}, answers
    assert {route for route, status in answers if status < 400} == set(CHAOS)
    assert len(waits) > 1, "nobody waited for anybody: nothing was raced"
    logging.info("%s; deadlocks retried: %s", dict(answers), deadlocks_so_far(engine) - deadlocks)
    assert_the_state_is_sound(engine)
    eventually(lambda: views_are_the_state(engine, model))


CHAOS = {
    "allocate": 10,
    "deallocate": 6,
    "add_batch": 2,
    "change_batch_quantity": 4,
    "change_batch_eta": 1,
    "change_line_quantity": 4,
    "ship": 1,
    "allocate_order": 4,
    "cancel_order": 3,
}


def chaos(rng: Random, port: int, deadline: float) -> Counter[tuple[str, int]]:
    """Random commands on few SKUs, orders and batches; how each kind was answered."""
    answers = Counter[tuple[str, int]]()
    api = Api(port)
    while time.monotonic() < deadline:
        [route] = rng.choices(list(CHAOS), weights=list(CHAOS.values()))
        answers[route, api.post(route, random_body(rng, route)).status] += 1
    api.connection.close()
    return answers


def random_body(rng: Random, route: str) -> dict[str, Any]:
    number = rng.randrange(200)
    ref, sku, eta = f"b{number % 40}", f"S{number % 5}", rng.choice([None, "2027-01-15", "2027-03-01"])
    bodies: dict[str, dict[str, Any]] = {
        "allocate": {"orderid": f"o{number}", "sku": sku, "qty": number % 7 + 1},
        "deallocate": {"orderid": f"o{number}", "sku": sku},
        "add_batch": {"ref": ref, "sku": sku, "qty": 20, "eta": None},
        "change_batch_quantity": {"ref": ref, "qty": rng.choice([0, 5, 20, 60])},
        "change_batch_eta": {"ref": ref, "eta": eta},
        "change_line_quantity": {"orderid": f"o{number}", "sku": sku, "qty": rng.randrange(1, 9)},
        "ship": {"orderid": f"o{number}", "sku": sku},
        "allocate_order": {
            "orderid": f"o{rng.randrange(200)}",
            "lines": [{"sku": f"S{n}", "qty": number % 7 + 1} for n in rng.sample(range(6), 3)],
            "all_or_nothing": rng.random() < 0.5,
        },
        "cancel_order": {"orderid": f"o{number}"},
    }
    return bodies[route]


def deadlocks_so_far(engine: Engine) -> int:
    with engine.connect() as connection:
        query = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(connection.execute(query).scalar_one())
