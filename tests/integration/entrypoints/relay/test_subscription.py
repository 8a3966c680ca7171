"""A subscriber of the log: what it is told again, what it is not, and what becomes of one that fails."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from redis import Redis
from sqlalchemy import Engine, text

from allocation.adapters.postgres import subscriptions
from allocation.adapters.postgres.event_log import EventLog
from allocation.domain.commands import Allocate, CreateBatch
from allocation.entrypoints.relay.announcements import LineAllocated
from allocation.entrypoints.relay.relay import Relay
from allocation.entrypoints.relay.subscription import LONGEST_PAUSE_OF_MAIL, Subscriber
from allocation.local.ports import free_port
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.out_of_stock import NotSent
from allocation.service_layer.unit_of_work import Message
from allocation.shutdown import Stop
from readmodel.store import keys
from readmodel.store.client import client
from readmodel.store.store import Store
from tests.support.eventually import eventually

NAME = "out_of_stock"
Tell = Callable[[Sequence[Message]], None]


class Impatient(Stop):
    """Does not wait for as long as it is asked to, but remembers how long that was."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return self.requested


@contextmanager
def subscriber(engine: Engine, tell: Tell, stop: Stop | None = None) -> Iterator[Subscriber]:
    stop = stop or Impatient()
    thread = Subscriber(NAME, ["OutOfStock"], engine, tell, stop)
    thread.start()
    try:
        yield thread
    finally:
        stop.request()
        thread.join()


def stored_cursor(engine: Engine) -> int:
    with engine.connect() as connection:
        query = text("SELECT cursor FROM subscriptions WHERE name = :name")
        return int(connection.execute(query, {"name": NAME}).scalar_one())


def run_out_of_stock(bus: MessageBus, *skus: str) -> None:
    for sku in skus:
        bus.handle(CreateBatch(f"b-{sku}", sku, 1))
        bus.handle(Allocate("o1", sku, 2))


def test_what_could_not_be_told_is_told_again_after_ever_longer_pauses(bus: MessageBus, engine: Engine) -> None:
    # W18
    asked: list[list[str]] = []

    def tell(events: Sequence[Message]) -> None:
        asked.append([event["sku"] for event in events])
        if len(asked) <= 8:
            raise NotSent("not now")

    run_out_of_stock(bus, "S", "T")
    stop = Impatient()
    with subscriber(engine, tell, stop):
        eventually(lambda: len(asked) == 9)
        eventually(lambda: stored_cursor(engine) == EventLog(engine).end())
        run_out_of_stock(bus, "U")
        eventually(lambda: len(asked) == 10)
    assert asked == [["S", "T"]] * 9 + [["U"]]
    assert stop.waits[:8] == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_OF_MAIL, LONGEST_PAUSE_OF_MAIL]


def test_the_cursor_moves_after_the_telling_and_not_before(bus: MessageBus, engine: Engine) -> None:
    """So that a process that dies in between tells again, rather than never."""
    seen: list[int] = []
    before = stored_cursor(engine)
    run_out_of_stock(bus, "S")
    with subscriber(engine, lambda events: seen.append(stored_cursor(engine))):
        eventually(lambda: stored_cursor(engine) > before)
    assert seen == [before]


def test_the_cursor_is_kept_now_and_then_where_there_is_nothing_to_tell(
    bus: MessageBus, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "KEPT_EVERY", 20)
    told: list[Message] = []
    with subscriber(engine, told.extend):
        before = stored_cursor(engine)
        for n in range(60):
            bus.handle(CreateBatch(f"b{n}", "S", 1))
        eventually(lambda: stored_cursor(engine) >= before + 40)
    assert told == []


def test_at_a_switch_of_generations_nothing_is_taken_for_shown(model: Store, redis: Redis, log: EventLog) -> None:
    """What the former one shows need not be in the new one."""

    class Switching(Store):
        def cursor(self, generation: str, log: str) -> int | None:
            found = super().cursor(generation, log)
            self.redis.set(keys.GENERATIONS, "g99")
            return found

    announcements = LineAllocated(redis, log)
    assert announcements.shown() == log.end()
    announcements._store = Switching(redis)
    assert announcements.shown() == 0


@pytest.mark.parametrize("redis_is_there", [True, False])
def test_a_subscriber_that_meets_a_bug_ends_the_relay(
    redis_is_there: bool, bus: MessageBus, engine: Engine, model: Store, redis: Redis
) -> None:
    """Whatever the relay itself is at: a thread that died alone would go unnoticed."""

    def tell(events: Sequence[Message]) -> None:
        raise ValueError("a bug")

    stop = Stop()
    faulty = Subscriber(NAME, ["OutOfStock"], engine, tell, stop)
    away = client(f"redis://127.0.0.1:{free_port()}/0")
    relay = Relay(EventLog(engine), redis if redis_is_there else away, stop, [faulty])
    failure: list[BaseException] = []

    def run() -> None:
        try:
            relay.run()
        except ValueError as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    run_out_of_stock(bus, "S")
    thread.join(30)
    stop.request()
    thread.join()
    assert [str(error) for error in failure] == ["a bug"]
