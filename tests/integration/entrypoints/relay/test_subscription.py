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
from allocation.entrypoints.relay.announcements import shown_position
from allocation.entrypoints.relay.relay import Relay
from allocation.entrypoints.relay.subscription import LONGEST_PAUSE_OF_MAIL, Subscription
from allocation.event_handlers import PROJECTION
from allocation.local.ports import free_port
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.out_of_stock import NotSent
from allocation.service_layer.unit_of_work import LoggedEvent
from allocation.shutdown import Shutdown
from readmodel.store import keys
from readmodel.store.client import redis_client
from readmodel.store.store import Store
from tests.support.eventually import eventually

NAME = "out_of_stock"
Handle = Callable[[Sequence[LoggedEvent]], None]


class Impatient(Shutdown):
    """Does not wait for as long as it is asked to, but remembers how long that was."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return self.requested


@contextmanager
def subscription(engine: Engine, handle: Handle, shutdown: Shutdown | None = None) -> Iterator[Subscription]:
    shutdown = shutdown or Impatient()
    thread = Subscription(NAME, ["OutOfStock"], engine, EventLog(engine), handle, shutdown)
    thread.start()
    try:
        yield thread
    finally:
        shutdown.request()
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

    def tell(events: Sequence[LoggedEvent]) -> None:
        asked.append([event["sku"] for event in events])
        if len(asked) <= 8:
            raise NotSent("not now")

    run_out_of_stock(bus, "S", "T")
    stop = Impatient()
    with subscription(engine, tell, stop):
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
    with subscription(engine, lambda events: seen.append(stored_cursor(engine))):
        eventually(lambda: stored_cursor(engine) > before)
    assert seen == [before]


def test_the_cursor_is_kept_now_and_then_where_there_is_nothing_to_tell(
    bus: MessageBus, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "STORED_EVERY", 20)
    told: list[LoggedEvent] = []
    with subscription(engine, told.extend):
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

    assert shown_position(model, log) == log.end()
    assert shown_position(Switching(redis), log) == 0


@pytest.mark.parametrize("redis_is_there", [True, False])
def test_a_subscriber_that_meets_a_bug_ends_the_relay(
    redis_is_there: bool, bus: MessageBus, engine: Engine, model: Store, redis: Redis
) -> None:
    """Whatever the relay itself is at: a thread that died alone would go unnoticed."""

    def tell(events: Sequence[LoggedEvent]) -> None:
        raise ValueError("a bug")

    stop = Shutdown()
    faulty = Subscription(NAME, ["OutOfStock"], engine, EventLog(engine), tell, stop)
    away = Store(redis_client(f"redis://127.0.0.1:{free_port()}/0"))
    relay = Relay(EventLog(engine), model if redis_is_there else away, PROJECTION, stop, [faulty])
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
