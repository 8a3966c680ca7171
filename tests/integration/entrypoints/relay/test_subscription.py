"""Subscriptions retry failed events, store their cursors, and report their bugs to the relay."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from zlib import crc32

import pytest
from redis import Redis
from sqlalchemy import Engine, text

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.adapters.postgres.subscriptions import SUBSCRIPTION_LOCK
from allocation.domain.commands import CreateBatch
from allocation.entrypoints.relay.handled_events import HandledEvents
from allocation.entrypoints.relay.relay import Relay
from allocation.entrypoints.relay.subscription import LONGEST_PAUSE_OF_MAIL, Subscription
from allocation.event_handlers import PROJECTION
from allocation.local.ports import free_port
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.out_of_stock import NotSent
from allocation.service_layer.unit_of_work import LoggedEvent
from allocation.shutdown import Shutdown
from readmodel.store.client import redis_client
from readmodel.store.store import Store
from tests.support.adapters.subscriptions import (
    NAME,
    Impatient,
    run_out_of_stock,
    stored_cursor,
    subscription,
    without_redis,
)
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE


def test_a_subscription_retries_events_with_growing_pauses(bus: MessageBus, engine: Engine) -> None:
    """If the relay only logged the failure, the events would be lost."""
    attempts: list[list[str]] = []

    def handle(events: Sequence[LoggedEvent]) -> None:
        attempts.append([event["sku"] for event in events])
        if len(attempts) <= 8:
            raise NotSent("not now")

    run_out_of_stock(bus, "S", "T")
    shutdown = Impatient()
    with subscription(engine, handle, shutdown):
        eventually(lambda: len(attempts) == 9)
        eventually(lambda: stored_cursor(engine) == EventLog(engine).end())
        run_out_of_stock(bus, "U")
        eventually(lambda: len(attempts) == 10)
    assert attempts == [["S", "T"]] * 9 + [["U"]]
    assert shutdown.pauses[:8] == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_OF_MAIL, LONGEST_PAUSE_OF_MAIL]


def test_the_cursor_moves_only_after_the_events_are_handled(bus: MessageBus, engine: Engine) -> None:
    """If the process dies in between, the next process handles the events again."""
    seen: list[int] = []
    before = stored_cursor(engine)
    run_out_of_stock(bus, "S")
    with subscription(engine, lambda events: seen.append(stored_cursor(engine))):
        eventually(lambda: stored_cursor(engine) > before)
    assert seen == [before]


def test_the_cursor_is_stored_although_no_event_matches(
    bus: MessageBus, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a restarted subscription would search the whole log again."""
    monkeypatch.setattr("allocation.adapters.postgres.subscriptions.STORED_EVERY", 20)
    handled: list[LoggedEvent] = []
    with subscription(engine, handled.extend):
        before = stored_cursor(engine)
        for n in range(60):
            bus.handle(CreateBatch(f"b{n}", "S", 1))
        eventually(lambda: stored_cursor(engine) >= before + 40)
    assert handled == []


def test_a_subscription_without_a_row_waits_for_it(
    bus: MessageBus, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """If its thread ended, the relay would end too, and its supervisor would restart it forever."""
    handled: list[LoggedEvent] = []
    before = stored_cursor(engine)
    execute(engine, f"DELETE FROM subscriptions WHERE name = '{NAME}'")
    with subscription(engine, handled.extend):
        run_out_of_stock(bus, "S")
        eventually(lambda: f"the table subscriptions has no row for {NAME}" in caplog.text)
        execute(engine, f"INSERT INTO subscriptions (name, cursor) VALUES ('{NAME}', {before})")
        eventually(lambda: [event["sku"] for event in handled] == ["S"])


def test_a_standby_subscription_ends_its_outage(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """It does not hold the lock, so it never handles a page. Its next outage must appear in the log again."""
    caplog.set_level("INFO")
    missing = "the table subscriptions has no row"
    execute(engine, f"DELETE FROM subscriptions WHERE name = '{NAME}'")
    with subscription(engine, lambda _: None):
        eventually(lambda: missing in caplog.text)
        with locked_by_another_process(engine):
            eventually(lambda: f"Another process runs the subscription {NAME} again after" in caplog.text)
        eventually(lambda: caplog.text.count(missing) == 2)


@contextmanager
def locked_by_another_process(engine: Engine) -> Iterator[None]:
    key = {"key": SUBSCRIPTION_LOCK | crc32(NAME.encode())}
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), key)
        yield
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)


def execute(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def test_a_subscription_skips_what_it_has_handled(bus: MessageBus, engine: Engine, redis: Redis, log: EventLog) -> None:
    """Another server took over, with an older cursor and without the last events. Later ones use their positions."""
    seen: list[str] = []
    run_out_of_stock(bus, "S", "T")
    start = stored_cursor(engine)
    record = HandledEvents(redis, "handled")

    def run_until(*skus: str) -> None:
        with subscription(engine, lambda events: seen.extend(event["sku"] for event in events), handled=record):
            eventually(lambda: stored_cursor(engine) == log.end())
        assert seen == [*skus]

    run_until("S", "T")
    record.record([f"{log.end() + 2} 0123456789abcdef"])
    redis.lpush("handled", "no name")
    with engine.begin() as connection:
        connection.execute(text("UPDATE subscriptions SET cursor = :start"), {"start": start})
    run_out_of_stock(bus, "U")
    run_until("S", "T", "U")


@pytest.mark.parametrize("redis_is_available", [True, False], ids=["redis-available", "redis-unavailable"])
def test_a_bug_in_a_subscription_ends_the_relay(
    redis_is_available: bool, bus: MessageBus, engine: Engine, model: Store, redis: Redis
) -> None:
    """It ends even a relay that waits for Redis. If only the thread died, operators would not notice."""

    def fail() -> int:
        raise ValueError("a bug")

    shutdown = Shutdown()
    faulty = Subscription(NAME, ["OutOfStock"], engine, lambda _: None, without_redis(), shutdown, upto=fail)
    unavailable = Store(redis_client(f"redis://127.0.0.1:{free_port()}/0"))
    relay = Relay(EventLog(engine), model if redis_is_available else unavailable, PROJECTION, shutdown, [faulty])
    failures: list[BaseException] = []

    def run() -> None:
        try:
            relay.run()
        except ValueError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    run_out_of_stock(bus, "S")
    thread.join(PATIENCE)
    shutdown.request()
    thread.join()
    assert [str(error) for error in failures] == ["a bug"]
