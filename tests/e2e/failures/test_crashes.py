"""Processes that are killed with SIGKILL in the middle of their work."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from itertools import count, islice

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate, ChangeBatchQuantity, Command, CreateBatch
from allocation.entrypoints.http.idempotency_keys import key_of
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from readmodel.projector.digest import digest
from readmodel.store.registers import State
from readmodel.store.store import Store
from readmodel.views import orders
from tests.model.oracle import assert_the_state_is_sound
from tests.support.adapters.event_log import append, out_of_stock
from tests.support.adapters.waits import waiting
from tests.support.e2e.database import scalar
from tests.support.e2e.rebuilds import rebuild_views, start_rebuild
from tests.support.eventually import eventually
from tests.support.processes import allocation, running

NOW = datetime.now(UTC)
SIGKILL = -9
LINES = 2_000

ALLOCATES = [sys.executable, "-m", "tests.support.programs.dies_after_its_commit", "o1", "S", "3"]
"""Allocates 3 units of S to order o1. SIGKILL ends it after the commit. A further argument is an idempotency key."""

SHRINKS = """
import os
from allocation import components
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.domain.commands import ChangeBatchQuantity
bus = components.create_message_bus(create_postgres_engine(os.environ["DATABASE_URL"]), components.leave_to_relay)
bus.handle(ChangeBatchQuantity("b1", 0))
"""


def allocations_of(model: Store, orderid: str) -> list[State]:
    return model.read(lambda snapshot: orders.allocations(snapshot, orderid)).value


def test_the_relay_applies_events_of_a_process_killed_at_commit(
    projecting_bus: MessageBus, model: Store, engine: Engine, environment: dict[str, str]
) -> None:
    """The process dies between its commit and its fast path. Its events are not lost: the log is the outbox."""
    projecting_bus.handle(CreateBatch("b1", "S", 10))
    assert subprocess.run(ALLOCATES, env=os.environ | environment, check=False).returncode == SIGKILL
    with engine.connect() as connection:
        assert connection.execute(text("SELECT batchref FROM order_lines WHERE orderid = 'o1'")).scalar_one() == "b1"
    assert allocations_of(model, "o1") == [], "the views show the line before any process has applied its event"
    with running("relay", environment):
        eventually(lambda: allocations_of(model, "o1"))


def test_a_repeat_shows_the_effect_of_a_killed_process(
    projecting_bus: MessageBus, model: Store, environment: dict[str, str]
) -> None:
    """No relay runs here. The second attempt has no effect of its own, but it applies the events of the first one."""
    projecting_bus.handle(CreateBatch("b1", "S", 10))
    assert subprocess.run([*ALLOCATES, "k1"], env=os.environ | environment, check=False).returncode == SIGKILL
    assert allocations_of(model, "o1") == []
    command = Allocate("o1", "S", 3)
    projecting_bus.handle(command, key_of("- /allocate", "k1", command))
    assert allocations_of(model, "o1") == [{"sku": "S", "batchref": "b1"}]


def test_a_process_killed_in_its_transaction_changes_nothing(
    projecting_bus: MessageBus, engine: Engine, environment: dict[str, str]
) -> None:
    """The process dies while it waits for the product's row. Afterwards other transactions can lock the row."""
    projecting_bus.handle(CreateBatch("b1", "S", 10))
    with engine.connect() as holder:
        holder.execute(text("SELECT FROM products WHERE sku = 'S' FOR UPDATE"))
        process = subprocess.Popen(ALLOCATES, env=os.environ | environment)
        eventually(lambda: waiting(engine, "FROM products"))
        process.kill()
        process.wait()
    projecting_bus.handle(Allocate("o2", "S", 10))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT orderid FROM order_lines")).scalars().all() == ["o2"]


def test_a_process_killed_in_a_shrink_leaves_every_line_in_place(
    bus: MessageBus, engine: Engine, environment: dict[str, str]
) -> None:
    """Displacing lines and reallocating them is one transaction. The process dies while it writes the lines."""
    lines: list[Command] = [Allocate(f"o{n}", "S", 1) for n in range(LINES)]
    assert set(bus.handle_all([CreateBatch("b1", "S", LINES), CreateBatch("b2", "S", LINES), *lines])) == {Done()}
    with engine.connect() as holder:
        holder.execute(text("SELECT FROM order_lines WHERE orderid = 'o0' FOR UPDATE"))
        process = subprocess.Popen([sys.executable, "-c", SHRINKS], env=os.environ | environment)
        eventually(lambda: waiting(engine, "INSERT INTO order_lines"))
        process.kill()
        process.wait()
    at_work = "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE '%INSERT INTO order_lines%'"
    eventually(lambda: not scalar(engine, at_work + " AND pid <> pg_backend_pid()"))
    assert scalar(engine, "SELECT count(*) FROM order_lines WHERE batchref = 'b1'") == LINES
    assert_the_state_is_sound(engine)
    bus.handle(ChangeBatchQuantity("b1", 0))
    assert scalar(engine, "SELECT count(*) FROM order_lines WHERE batchref = 'b2'") == LINES


@pytest.mark.slow
def test_a_relay_continues_the_work_of_a_killed_relay(
    bus: MessageBus, model: Store, log: EventLog, environment: dict[str, str]
) -> None:
    list(bus.handle_all(CreateBatch(f"b{n}", f"S{n}", 1_000_000) for n in range(100)))
    lines = (Allocate(f"o{n}", f"S{n % 100}", 1) for n in count())
    live, identity = model.generations().live or "", log.identity()

    def cursor() -> int:
        return model.cursor(live, identity) or 0

    def kill_at_work() -> bool:
        """Return whether the killed relay had applied some of the new events, but not all of them."""
        list(bus.handle_all(islice(lines, 10_000)))
        before, process = cursor(), allocation("relay", environment)
        try:
            while cursor() == before:  # Without a pause: the relay applies all events in less than a second.
                assert process.poll() is None
        finally:
            process.kill()
            process.wait()
        return before < cursor() < log.end()

    eventually(kill_at_work)
    with running("relay", environment):
        eventually(lambda: cursor() == log.end())
    relayed = digest(model.redis, live)
    rebuild_views(environment)
    assert digest(model.redis, model.generations().live or "") == relayed


@pytest.mark.slow
def test_a_killed_rebuild_leaves_the_views_unchanged(
    projecting_bus: MessageBus, model: Store, engine: Engine, environment: dict[str, str]
) -> None:
    """The rebuild dies after it has announced the new generation. An open transaction keeps it from going on."""
    projecting_bus.handle(CreateBatch("b1", "S", 10))
    projecting_bus.handle(Allocate("o1", "S", 3))
    live = model.generations().live
    with engine.connect() as writer:
        writer.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        append(writer, out_of_stock("X", 1))
        projecting_bus.handle(Allocate("o2", "S", 3))
        process = start_rebuild(environment)
        eventually(lambda: model.generations().other)
        process.kill()
        process.wait()
    assert model.generations().live == live
    projecting_bus.handle(Allocate("o3", "S", 3))
    assert [allocations_of(model, orderid) for orderid in ("o1", "o2", "o3")] == [[{"sku": "S", "batchref": "b1"}]] * 3
    rebuild_views(environment)
    assert {key.partition(":")[0] for key in model.redis.scan_iter("g*:*")} == {model.generations().live}
