"""A bus with metrics counts what its commands do in PostgreSQL and in Redis."""

from allocation import components
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.config import Settings
from allocation.domain.commands import Allocate, CreateBatch
from allocation.local.ports import free_port
from allocation.metrics import BusMetrics, FastPathMetrics, count_trips
from readmodel.metrics.registry import Registry
from readmodel.store.store import Store
from tests.support.metrics import Exposition


def exposition(registry: Registry) -> Exposition:
    return Exposition(registry.exposition().decode())


def test_command_makes_two_trips(database_url: str, model: Store, redis_url: str) -> None:
    registry = Registry()
    engine = create_postgres_engine(database_url, sent=count_trips(registry))
    fast_path = components.create_fast_path(Settings(redis_url=redis_url), FastPathMetrics(registry))
    bus = components.create_message_bus(engine, fast_path, observer=BusMetrics(registry))
    bus.handle(CreateBatch("b1", "S", 10))
    before = exposition(registry).value("allocation_database_trips_total")
    bus.handle(Allocate("o1", "S", 1))
    found = exposition(registry)
    assert found.value("allocation_database_trips_total") - before == 2
    assert found.value("allocation_events_appended_total") == 2
    assert found.counts("allocation_events_applied_total", "path") == {("fast",): 2}
    assert found.counts("allocation_commands_total", "command", "result") == {
        ("add_batch", "done"): 1,
        ("allocate", "done"): 1,
    }
    engine.dispose()


def test_commit_without_redis_is_a_failure_of_the_fast_path(database_url: str) -> None:
    registry = Registry()
    engine = create_postgres_engine(database_url)
    nowhere = Settings(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    fast_path = components.create_fast_path(nowhere, FastPathMetrics(registry))
    bus = components.create_message_bus(engine, fast_path, observer=BusMetrics(registry))
    bus.handle(CreateBatch("b1", "S", 10))
    bus.handle(CreateBatch("b2", "S", 10))  # The fast path pauses for a second.
    failures = exposition(registry).counts("allocation_fast_path_failures_total", "reason")
    assert failures in ({("redis",): 1, ("paused",): 1}, {("redis",): 2})
    engine.dispose()
