"""A relay measures the state of the service."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate, CreateBatch
from allocation.entrypoints.relay import gauges
from allocation.entrypoints.relay.gauges import Gauges
from allocation.event_handlers import PROJECTION, subscribed_events
from allocation.local.ports import free_port
from allocation.service_layer.messagebus import MessageBus
from allocation.shutdown import Shutdown
from readmodel.metrics.table import Figure
from readmodel.projector.follow import follow
from readmodel.store.client import redis_client
from readmodel.store.names import PLAIN
from readmodel.store.records.drift import count_corrected
from readmodel.store.store import Store
from tests.support.adapters.event_log import append, out_of_stock
from tests.support.eventually import eventually
from tests.support.forwarder import forwarding
from tests.support.patience import PATIENCE
from tests.support.status.service import at_port, port_of

CHANNEL = "change_batch_quantity"


class Watch:
    """A clock that the test sets."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


def gauges_of(engine: Engine, store: Store, watch: Watch) -> Gauges:
    return Gauges(engine, store, subscribed_events(), CHANNEL, Shutdown(), watch)


@contextmanager
def running(found: Gauges) -> Iterator[None]:
    """Run the threads of the gauges, and end them at the end of the block."""
    found.start()
    try:
        yield
    finally:
        found.shutdown.request()
        found.join(PATIENCE)
    assert not found.is_alive()


def values(measured: Iterator[Figure]) -> dict[tuple[str, ...], float]:
    return {(figure.metric.name.removeprefix("allocation_"), *figure.labels): figure.value for figure in measured}


def test_gauges_show_what_the_views_and_subscriptions_lack(
    engine: Engine, model: Store, log: EventLog, bus: MessageBus, watch: Watch
) -> None:
    found = gauges_of(engine, model, watch)
    bus.handle(CreateBatch("b1", "S", 10))
    bus.handle(Allocate("o1", "S", 3))
    found.measure()
    seen = values(found.figures())
    assert seen["views_lag_events",] == 2
    assert seen["views_lag_seconds",] > 0
    assert seen["subscription_lag_events", "line_allocated"] == 1
    assert seen["subscription_lag_events", "out_of_stock"] == 0
    assert seen["subscription_lag_seconds", "out_of_stock"] == 0

    while follow(model, log, PROJECTION):
        pass
    found.measure()
    assert values(found.figures())["views_lag_events",] == 0


def test_gauges_show_what_is_wrong(engine: Engine, model: Store, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    found = gauges_of(engine, model, watch)
    found.measure()
    seen = values(found.figures())
    assert (seen["dead_letters", "", "dead"], seen["corrected_registers",], seen["fence_held_seconds",]) == (0, 0, 0)
    assert seen["subscription_failing", "out_of_stock"] == 0

    monkeypatch.setattr(gauges, "LONGEST_FENCE", 0.0)
    count_corrected(model.redis, model.names, 3)
    with engine.begin() as connection:
        connection.execute(text("UPDATE subscriptions SET failing_since = now() WHERE name = 'out_of_stock'"))
        connection.execute(
            text("""
                INSERT INTO dead_letters (subscription, subject, position, version, type, data, state, error)
                VALUES ('out_of_stock', 'S', 1, 1, 'OutOfStock', '{}', 'dead', 'KeyError')
            """)
        )
    with engine.connect() as holder:
        append(holder, out_of_stock("S", 1))
        found.measure()
    seen = values(found.figures())
    assert seen["subscription_failing", "out_of_stock"] == 1
    assert seen["subscription_failing", "line_allocated"] == 0
    assert [seen["dead_letters", "out_of_stock", state] for state in ("dead", "waiting", "retry")] == [1, 0, 0]
    assert seen["corrected_registers",] == 3
    assert seen["fence_held_seconds",] > 0


def test_gauges_count_consumers_and_the_memory_of_redis(engine: Engine, model: Store, watch: Watch) -> None:
    found = gauges_of(engine, model, watch)
    with model.redis.pubsub() as consumer:
        consumer.subscribe(CHANNEL)
        consumer.get_message(timeout=5)
        found.measure()
    seen = values(found.figures())
    assert seen["consumers",] == 1
    assert seen["redis_memory_bytes",] > 100_000
    assert seen["redis_memory_limit_bytes",] == seen["redis_evicted_keys",] == 0


def test_store_that_is_unavailable_has_no_figures(engine: Engine, model: Store, watch: Watch) -> None:
    """The figures of the other store are still there."""
    nowhere = f"127.0.0.1:{free_port()}"
    without_redis = gauges_of(engine, Store(redis_client(f"redis://{nowhere}/0", retries=0), PLAIN), watch)
    without_redis.measure()
    seen = values(without_redis.figures())
    assert (seen["store_up", "postgres"], seen["store_up", "redis"]) == (1, 0)
    assert ("subscription_lag_events", "out_of_stock") in seen
    assert not {("consumers",), ("views_lag_events",)} & set(seen)

    without_postgres = gauges_of(create_postgres_engine(f"postgresql://u@{nowhere}/d"), model, watch)
    without_postgres.measure()
    seen = values(without_postgres.figures())
    assert (seen["store_up", "postgres"], seen["store_up", "redis"]) == (0, 1)
    assert ("consumers",) in seen
    assert ("subscription_lag_events", "out_of_stock") not in seen


def test_old_figures_do_not_count(engine: Engine, model: Store, watch: Watch) -> None:
    """A store that hangs answers no measurement."""
    found = gauges_of(engine, model, watch)
    assert values(found.figures()) == {("store_up", "postgres"): 0, ("store_up", "redis"): 0}
    found.measure()
    watch.seconds += gauges.OUTDATED_AFTER
    assert values(found.figures()) == {("store_up", "postgres"): 0, ("store_up", "redis"): 0}


def test_redis_is_measured_while_postgresql_hangs(
    database_url: str, model: Store, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauges, "EVERY", 0.01)
    with forwarding(port_of(database_url)) as forwarder:
        engine = create_postgres_engine(at_port(database_url, forwarder.port))
        found = gauges_of(engine, model, watch)

        def seen() -> dict[tuple[str, ...], float]:
            watch.seconds += 1
            return values(found.figures())

        with running(found):
            eventually(lambda: all(seen()["store_up", name] for name in ("postgres", "redis")))
            forwarder.freeze()
            eventually(lambda: not seen()["store_up", "postgres"])
            later = watch.seconds + 2 * gauges.OUTDATED_AFTER
            eventually(lambda: ("consumers",) in seen() and watch.seconds > later)
            forwarder.thaw()
            eventually(lambda: seen()["store_up", "postgres"])
        engine.dispose()


def test_bug_in_the_thread_of_a_store_is_raised(
    engine: Engine, model: Store, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(gauges, "EVERY", 0.01)
    monkeypatch.setattr(gauges, "corrected_registers", faulty)
    found = gauges_of(engine, model, watch)
    with running(found):
        eventually(lambda: isinstance(found.failure, ZeroDivisionError))
