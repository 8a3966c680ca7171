"""Races between the threads of two web servers. Plain SQL judges the results."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest
from sqlalchemy import Engine, text

from tests.support.adapters.waits import lock_waits
from tests.support.api import Answer, Api
from tests.support.e2e.clients import THREADS, Clients
from tests.support.e2e.database import scalar
from tests.support.eventually import eventually


@pytest.fixture
def clients(ports: list[int]) -> Iterator[Clients]:
    with Clients(ports) as clients:
        yield clients


def repeat(race: Callable[[int], None], engine: Engine, *, times: int) -> int:
    """Run the race so many times, and then until two sessions have waited for a lock. Return the number of races."""
    with lock_waits(engine) as waits:
        for n in range(times):
            race(n)
        ran = times

        def race_took_place() -> bool:
            nonlocal ran
            if len(waits) > 1:
                return True
            race(ran)
            ran += 1
            return False

        eventually(race_took_place)
    return ran


def add_batch(ref: str, sku: str, qty: int, eta: str | None = None) -> Callable[[Api], Answer]:
    return lambda api: api.add_batch(ref, sku, qty, eta)


def allocate(orderid: str, sku: str, qty: int) -> Callable[[Api], Answer]:
    return lambda api: api.allocate(orderid, sku, qty)


def statuses(answers: Sequence[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


def test_concurrent_allocations_of_a_sku_respect_every_rule(clients: Clients, ports: list[int], engine: Engine) -> None:
    """Clients send each command twice, to both servers. The stock is short, and a batch arrives meanwhile."""
    stock = {"wh": 300, "ship-1": 200, "ship-2": 50}
    clients.send([add_batch("wh", "HOT", 300), add_batch("ship-1", "HOT", 200, "2027-01-15")])
    wanted: dict[str, int] = {}

    def race(number: int) -> None:
        orders = {f"o{n}": n % 4 + 1 for n in range(40 * number, 40 * number + 40)}
        requests = [allocate(orderid, "HOT", qty) for orderid, qty in orders.items() for _ in range(2)]
        if number == 6:
            requests.insert(20, add_batch("ship-2", "HOT", 50, "2027-03-01"))
        answers = statuses(clients.send(requests))
        assert answers == ({202: 80, 201: 1} if number == 6 else {202: 80})
        wanted.update(orders)

    repeat(race, engine, times=10)
    with engine.connect() as connection:
        lines = connection.execute(text("SELECT orderid, qty, batchref FROM order_lines")).all()
        batches = connection.execute(text("SELECT ref, purchased, allocated FROM batches")).all()
        versions = connection.execute(text("SELECT count(*), max(version) FROM events WHERE sku = 'HOT'")).one()
    assert {line.orderid: line.qty for line in lines} == wanted
    for batch in batches:
        on_batch = sum(line.qty for line in lines if line.batchref == batch.ref)
        assert on_batch == batch.allocated <= batch.purchased == stock[batch.ref]
    largest_room = max(batch.purchased - batch.allocated for batch in batches)
    assert all(line.qty > largest_room for line in lines if line.batchref is None), "a line waits that would fit"
    assert versions[0] == versions[1], "the versions have a gap"

    expected = {line.orderid: line.batchref for line in lines}
    api = Api(ports[0])
    eventually(lambda: batches_in_the_views(api, wanted) == expected)
    api.connection.close()


def batches_in_the_views(api: Api, orderids: dict[str, int]) -> dict[str, str | None]:
    return {orderid: api.get("orders", orderid).json["lines"][0]["batchref"] for orderid in orderids}


@pytest.mark.slow
def test_concurrent_first_batches_of_a_sku_all_succeed(clients: Clients, engine: Engine) -> None:
    def race(number: int) -> None:
        requests = [add_batch(f"b{number}-{n}", f"NEW-{number}", 5) for n in range(THREADS)]
        assert statuses(clients.send(requests)) == {201: THREADS}

    races = repeat(race, engine, times=20)
    with engine.connect() as connection:
        available = connection.execute(text("SELECT available FROM products")).scalars().all()
    assert available == [THREADS * 5] * races


@pytest.mark.slow
def test_only_one_of_concurrent_skus_gets_a_batch_reference(clients: Clients, engine: Engine) -> None:
    def race(number: int) -> None:
        requests = [add_batch(f"b{number}", f"SKU-{n}", 5) for n in range(THREADS)]
        assert statuses(clients.send(requests)) == {201: 1, 409: THREADS - 1}

    races = repeat(race, engine, times=20)
    assert scalar(engine, "SELECT sum(available) FROM products") == races * 5


@pytest.mark.slow
def test_a_concurrent_repeat_of_a_command_shows_its_effect(clients: Clients, engine: Engine) -> None:
    """A client loses patience and sends its command again. After the 202, its next query shows the effect."""

    def allocate_and_query(orderid: str, api: Api) -> Answer:
        assert api.allocate(orderid, "S", 1).status == 202
        return api.allocations(orderid)

    def race(number: int) -> None:
        orderids = [f"o{n}" for n in range(30 * number, 30 * number + 30)]
        requests = [partial(allocate_and_query, orderid) for orderid in orderids for _ in range(2)]
        assert statuses(clients.send(requests)) == {200: 60}

    clients.send([add_batch("b1", "S", 1_000_000)])
    repeat(race, engine, times=10)
