"""Processes that are really killed, at the worst of times."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

from sqlalchemy import Engine, text

from allocation.adapters.postgres import event_log
from allocation.adapters.postgres.event_log import EventLog
from allocation.domain.commands import Allocate, ChangeBatchQuantity, Command, CreateBatch
from allocation.domain.events import OutOfStock, Totals
from allocation.entrypoints.http.idempotency_keys import key_of
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from readmodel.projector.digest import digest
from readmodel.store.registers import State
from readmodel.store.store import Store
from readmodel.views import orders
from tests.model.oracle import assert_the_state_is_sound
from tests.support.eventually import eventually
from tests.support.processes import allocation, running

NOW = datetime.now(UTC)


def test_a_process_killed_between_commit_and_fast_path_loses_nothing(
    projecting_bus: MessageBus, model: Store, engine: Engine, environment: dict[str, str]
) -> None:
    # W17
    projecting_bus.handle(CreateBatch("b1", "S", 10))
    program = [sys.executable, "-m", "tests.support.programs.dies_after_its_commit", "o1", "S", "3"]
    killed = subprocess.run(program, env=os.environ | environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    with engine.connect() as connection:
        assert connection.execute(text("SELECT batchref FROM order_lines WHERE orderid = 'o1'")).scalar_one() == "b1"
    assert allocations_of(model, "o1") == [], "nobody has told the views yet"
    with running("relay", environment):
        eventually(lambda: allocations_of(model, "o1"))


def test_who_sends_a_command_again_after_its_process_was_killed_sees_what_it_did(
    projecting_bus: MessageBus, model: Store, environment: dict[str, str]
) -> None:
    """There is no relay here: the second attempt, which does nothing itself, shows what the first has done."""
    projecting_bus.handle(CreateBatch("b1", "S", 10))
    program = [sys.executable, "-m", "tests.support.programs.dies_after_its_commit", "o1", "S", "3", "k1"]
    assert subprocess.run(program, env=os.environ | environment, check=False).returncode == -signal.SIGKILL
    assert allocations_of(model, "o1") == []
    command = Allocate("o1", "S", 3)
    projecting_bus.handle(command, key_of("- /allocate", "k1", command))
    assert allocations_of(model, "o1") == [{"sku": "S", "batchref": "b1"}]


def test_a_process_killed_in_the_middle_of_its_transaction_changes_nothing(
    projecting_bus: MessageBus, model: Store, engine: Engine, environment: dict[str, str]
) -> None:
    """It waits for the product's row when it is killed; the row is free for others afterwards."""
    projecting_bus.handle(CreateBatch("b1", "S", 10))
    with engine.connect() as holder:
        holder.execute(text("SELECT FROM products WHERE sku = 'S' FOR UPDATE"))
        program = [sys.executable, "-m", "tests.support.programs.dies_after_its_commit", "o1", "S", "3"]
        process = subprocess.Popen(program, env=os.environ | environment)
        eventually(lambda: waiting_for_a_lock(engine))
        process.kill()
        process.wait()
    projecting_bus.handle(Allocate("o2", "S", 10))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT orderid FROM order_lines")).scalars().all() == ["o2"]


def waiting_for_a_lock(engine: Engine) -> bool:
    with engine.connect() as connection:
        return bool(connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one())


SHRINKS = """
import os
from allocation import bootstrap
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.domain.commands import ChangeBatchQuantity
bus = bootstrap.create_message_bus(create_postgres_engine(os.environ["DATABASE_URL"]), bootstrap.leave_to_relay)
bus.handle(ChangeBatchQuantity("b1", 0))
"""


def test_a_process_killed_between_taking_lines_off_and_placing_them_leaves_them_where_they_were(
    bus: MessageBus, engine: Engine, environment: dict[str, str]
) -> None:
    # W13
    lines: list[Command] = [Allocate(f"o{n}", "S", 1) for n in range(15_000)]
    assert set(bus.handle_all([CreateBatch("b1", "S", 15_000), CreateBatch("b2", "S", 15_000), *lines])) == {Done()}
    process = subprocess.Popen([sys.executable, "-c", SHRINKS], env=os.environ | environment)
    at_work = "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE '%INSERT INTO order_lines%'"
    eventually(lambda: scalar(engine, at_work + " AND pid <> pg_backend_pid()"))
    process.kill()
    process.wait()
    eventually(lambda: not scalar(engine, at_work + " AND pid <> pg_backend_pid()"))
    assert scalar(engine, "SELECT count(*) FROM order_lines WHERE batchref = 'b1'") == 15_000
    assert_the_state_is_sound(engine)
    bus.handle(ChangeBatchQuantity("b1", 0))
    assert scalar(engine, "SELECT count(*) FROM order_lines WHERE batchref = 'b2'") == 15_000


def scalar(engine: Engine, query: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


def test_a_relay_killed_at_work_is_taken_up_by_the_next(
    bus: MessageBus, model: Store, log: EventLog, environment: dict[str, str]
) -> None:
    list(bus.handle_all([CreateBatch(f"b{n}", f"S{n}", 10) for n in range(12_000)]))
    live = model.generations().live
    assert live is not None
    process, identity, end = allocation("relay", environment), log.identity(), log.end()
    while (model.cursor(live, identity) or 0) < 100:
        assert process.poll() is None
    process.kill()
    process.wait()
    assert (model.cursor(live, identity) or 0) < end, "it was done before it was killed: nothing was tried"
    with running("relay", environment):
        eventually(lambda: model.cursor(live, identity) == end)
    relayed = digest(model.redis, live)
    assert allocation("rebuild", environment, stderr=subprocess.DEVNULL).wait(60) == 0
    assert digest(model.redis, model.generations().live or "") == relayed


def test_a_rebuild_that_is_killed_leaves_the_views_as_they_were(
    projecting_bus: MessageBus, model: Store, engine: Engine, environment: dict[str, str]
) -> None:
    projecting_bus.handle(CreateBatch("b1", "S", 10))
    projecting_bus.handle(Allocate("o1", "S", 3))
    live = model.generations().live
    with engine.connect() as writer:
        # It announces the new generation and then waits for this transaction: there it is killed.
        event_log.append(writer, [OutOfStock("X", 1, Totals(), (), None)], NOW)
        projecting_bus.handle(Allocate("o2", "S", 3))
        process = allocation("rebuild", environment, stderr=subprocess.DEVNULL)
        eventually(lambda: model.generations().other)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert model.generations().live == live
    projecting_bus.handle(Allocate("o3", "S", 3))
    assert [allocations_of(model, orderid) for orderid in ("o1", "o2", "o3")] == [[{"sku": "S", "batchref": "b1"}]] * 3
    assert allocation("rebuild", environment, stderr=subprocess.DEVNULL).wait(60) == 0
    assert {key.partition(":")[0] for key in model.redis.scan_iter("g*:*")} == {model.generations().live}


def allocations_of(model: Store, orderid: str) -> list[State]:
    return model.read(lambda snapshot: orders.allocations(snapshot, orderid))
