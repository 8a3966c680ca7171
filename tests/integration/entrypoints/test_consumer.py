"""The consumer counts messages, and parks those that fail because of a bug."""

import json
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import pytest
from redis import Redis
from sqlalchemy import Engine

from allocation.adapters.postgres.parked_events import Retries
from allocation.adapters.postgres.parked_messages import ParkedMessages
from allocation.domain.commands import CreateBatch
from allocation.entrypoints import consumer as module
from allocation.entrypoints.consumer import CHANNEL, SCHEMA, Consumer
from allocation.entrypoints.inbox import Inbox
from allocation.entrypoints.messages import Messages
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import LockSet, StoreUnavailable
from allocation.shutdown import Shutdown
from readmodel.store.client import redis_client
from tests.support.entrypoints.poison import drop_all, letters, retry_all
from tests.support.eventually import eventually
from tests.support.service_layer.fakes import FakeStore, FakeUnitOfWork


class FaultyStore(FakeStore):
    """Has a bug that affects the batch "faulty" until `is_repaired`."""

    def __init__(self) -> None:
        super().__init__()
        self.is_repaired = False
        self.quantities: list[tuple[str, int]] = []

    @contextmanager
    def begin(self, locks: LockSet) -> Iterator[FakeUnitOfWork]:
        if "faulty" in locks.owners_of and not self.is_repaired:
            raise ZeroDivisionError("a bug")
        with super().begin(locks) as uow:
            yield uow
        self.quantities += [(ref, self.batches[ref].purchased) for ref in locks.owners_of if ref in self.batches]


@pytest.fixture
def shop() -> FaultyStore:
    store = FaultyStore()
    store.is_repaired = True
    bus = MessageBus(store.begin, lambda events: None)
    bus.handle(CreateBatch("faulty", "S", 10))
    bus.handle(CreateBatch("b1", "S", 10))
    store.quantities.clear()
    store.is_repaired = False
    return store


@contextmanager
def consuming(shop: FaultyStore, engine: Engine, redis_url: str) -> Iterator[Consumer]:
    shutdown = Shutdown()
    parked = ParkedMessages(engine, CHANNEL, Retries(attempts=3, pause=0.0))
    with redis_client(redis_url, decode=False) as subscriber:
        bus = MessageBus(shop.begin, lambda events: None)
        consumer = Consumer(bus, parked, Inbox(subscriber, CHANNEL, shutdown), shutdown)
        thread = threading.Thread(target=consumer.run)
        thread.start()
        try:
            eventually(lambda: subscriber.pubsub_numsub(CHANNEL)[0][1])
            yield consumer
        finally:
            shutdown.request()
            thread.join()


def publish(redis: Redis, ref: str, qty: int) -> None:
    redis.publish(CHANNEL, json.dumps({"batchref": ref, "qty": qty}))


def states(engine: Engine) -> list[tuple[str, str]]:
    return [(letter.subject, letter.state) for letter in letters(engine)]


@pytest.fixture(autouse=True)
def retries_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_EVERY", 0.01)


def park_waiting(engine: Engine, quantities: Sequence[int]) -> None:
    for qty in quantities:
        message = json.dumps({"batchref": "b1", "qty": qty}).encode()
        ParkedMessages(engine, CHANNEL).park("b1", message, None)


def test_a_message_that_fails_is_parked_with_later_ones(
    shop: FaultyStore, engine: Engine, redis: Redis, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The consumer must not report it as refused: its sender can't correct it."""
    with consuming(shop, engine, redis_url) as consumer:
        for ref, qty in (("unknown", 5), ("faulty", 5), ("b1", 5), ("faulty", 7)):
            publish(redis, ref, qty)
        eventually(lambda: states(engine) == [("faulty", "dead"), ("faulty", "waiting")])
        eventually(lambda: consumer.counts.total() == 4)
    assert consumer.counts == {"handled": 1, "refused": 1, "parked": 2}
    assert shop.quantities == [("b1", 5)]
    assert "Message 1 on change_batch_quantity was refused: There is no batch unknown" in caplog.text
    assert "Message 2 on change_batch_quantity failed and is parked: ZeroDivisionError: a bug" in caplog.text
    assert "is a dead letter after 3 attempts" in caplog.text
    assert "Traceback" not in caplog.text
    dead, later = letters(engine)
    assert (dead.subscription, dead.position, dead.message) == (CHANNEL, None, b'{"batchref": "faulty", "qty": 5}')
    assert later.message == b'{"batchref": "faulty", "qty": 7}'


def test_a_retry_executes_the_messages_in_order(
    shop: FaultyStore, engine: Engine, redis: Redis, redis_url: str
) -> None:
    with consuming(shop, engine, redis_url):
        for qty in (5, 7, 6):
            publish(redis, "faulty", qty)
        eventually(lambda: [state for _, state in states(engine)] == ["dead", "waiting", "waiting"])
        shop.is_repaired = True
        retry_all(engine)
        eventually(lambda: states(engine) == [])
    assert shop.quantities == [("faulty", 5), ("faulty", 7), ("faulty", 6)]


def test_a_drop_releases_the_messages_behind_it(
    shop: FaultyStore, engine: Engine, redis: Redis, redis_url: str
) -> None:
    with consuming(shop, engine, redis_url):
        for qty in (5, 7):
            publish(redis, "faulty", qty)
        eventually(lambda: [state for _, state in states(engine)] == ["dead", "waiting"])
        shop.is_repaired = True
        drop_all(engine)
        eventually(lambda: states(engine) == [])
    assert shop.quantities == [("faulty", 7)]


def test_a_parked_message_that_is_refused_is_removed(
    shop: FaultyStore, engine: Engine, redis: Redis, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with consuming(shop, engine, redis_url):
        publish(redis, "faulty", 5)
        eventually(lambda: states(engine) == [("faulty", "dead")])
        del shop.batches["faulty"]
        shop.is_repaired = True
        retry_all(engine)
        eventually(lambda: states(engine) == [])
    assert "A parked message on change_batch_quantity was refused: There is no batch faulty" in caplog.text


def test_one_turn_retries_all_messages_that_are_due(
    shop: FaultyStore, engine: Engine, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_EVERY", math.inf)
    monkeypatch.setattr(module, "RETRY_FOR", math.inf)
    quantities = list(range(1, 31))
    park_waiting(engine, quantities)
    with consuming(shop, engine, redis_url):
        eventually(lambda: states(engine) == [])
    assert shop.quantities == [("b1", qty) for qty in quantities]


def test_new_messages_continue_while_messages_are_due(
    shop: FaultyStore, engine: Engine, redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_EVERY", math.inf)
    monkeypatch.setattr(module, "RETRY_FOR", 0.0)
    shop.is_repaired = True
    park_waiting(engine, [5, 6])
    with consuming(shop, engine, redis_url):
        publish(redis, "faulty", 7)
        eventually(lambda: ("faulty", 7) in shop.quantities)
    assert shop.quantities == [("b1", 5), ("faulty", 7)]
    assert states(engine) == [("b1", "waiting")]


def test_an_outage_releases_a_parked_message(shop: FaultyStore, engine: Engine) -> None:
    """It is no attempt, and the message must not wait until the end of its lease."""

    def unavailable(_: LockSet) -> NoReturn:
        raise StoreUnavailable("full")

    parked = ParkedMessages(engine, CHANNEL)
    park_waiting(engine, [5])
    with pytest.raises(StoreUnavailable, match="full"):
        Messages(MessageBus(unavailable, lambda events: None), parked, CHANNEL, SCHEMA).retry()
    [letter] = letters(engine)
    assert (letter.state, letter.attempts) == ("waiting", 0)
    assert Messages(MessageBus(shop.begin, lambda events: None), parked, CHANNEL, SCHEMA).retry()
    assert (shop.quantities, letters(engine)) == ([("b1", 5)], [])
