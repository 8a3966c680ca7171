"""Many at once on the same rows: judged by plain SQL."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest
from sqlalchemy import Engine, text

from tests.e2e.api import Answer, Api
from tests.e2e.conftest import web
from tests.eventually import eventually

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


@contextmanager
def lock_waits(engine: Engine) -> Iterator[set[int]]:
    """The sessions that were seen to wait for another's row lock."""
    seen: set[int] = set()
    done = threading.Event()

    def look() -> None:
        query = text("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not done.is_set():
                seen.update(connection.execute(query).scalars())

    observer = threading.Thread(target=look)
    observer.start()
    try:
        yield seen
    finally:
        done.set()
        observer.join()


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
