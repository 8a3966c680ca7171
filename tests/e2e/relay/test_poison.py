"""A relay meets events that its handlers can't handle."""

from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine, text

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate, CreateBatch
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.store import Store
from tests.support.adapters.waits import waiting
from tests.support.e2e.listener import Listener
from tests.support.entrypoints.poison import DamagedEvent, insert_poison, states
from tests.support.eventually import eventually
from tests.support.processes import run_to_end, running

PARK = "INSERT INTO dead_letters"


@pytest.fixture
def shop(bus: MessageBus) -> MessageBus:
    for sku in ("S", "T"):
        bus.handle(CreateBatch(f"b-{sku}", sku, 100))
    return bus


def test_a_relay_lives_on_after_a_poison_event(
    shop: MessageBus, model: Store, redis: Redis, engine: Engine, log: EventLog, environment: dict[str, str]
) -> None:
    """Neither the views nor the announcements can handle it. Other SKUs go on at once."""
    with Listener(redis) as listener, running("relay", environment) as relay:
        insert_poison(engine, "S", 1_000)
        shop.handle(Allocate("o1", "S", 1))
        shop.handle(Allocate("o2", "T", 1))
        eventually(lambda: listener.batches() == [("o2", "b-T")])
        eventually(lambda: model.cursor(model.generations().live or "", log.identity()) == log.end())
        assert sorted(states(engine)) == [("S", 2, "waiting"), ("S", 1_000, "dead"), ("S", 1_000, "retry")]
        assert relay.poll() is None


@pytest.mark.slow  # The attempts take 15 seconds.
def test_an_operator_handles_dead_letters(
    shop: MessageBus, model: Store, redis: Redis, engine: Engine, environment: dict[str, str], tmp_path: Path
) -> None:
    relay_log = tmp_path / "relay.log"
    with relay_log.open("w") as file, Listener(redis) as listener, running("relay", environment, stderr=file) as relay:
        poison = insert_poison(engine, "S", 1_000)
        shop.handle(Allocate("o1", "S", 1))
        eventually(lambda: sorted(states(engine)) == [("S", 2, "waiting"), *2 * [("S", 1_000, "dead")]])
        code, output = run_to_end("rebuild", environment)
        assert f"They can't apply 1 event, for example that at position {poison} (KeyError: " in output
        assert code == 0
        assert run_to_end("dead drop --all --subscription line_allocated", environment) == (0, "Dropped letters: 1\n")
        eventually(lambda: listener.batches() == [("o1", "b-S")])
        assert run_to_end("verify --sku T", environment)[0] == 0
        assert run_to_end("dead retry --all", environment) == (0, "Letters to retry: 1\n")
        eventually(lambda: states(engine) == [("S", 1_000, "dead")])
        assert relay.poll() is None
    lines = relay_log.read_text().splitlines()
    assert len([line for line in lines if f"position {poison}" in line]) == 3, "parked twice, and dead once"
    assert not [line for line in lines if "Traceback" in line]


@pytest.mark.slow
def test_a_killed_relay_parks_each_event_once(
    shop: MessageBus, model: Store, redis: Redis, engine: Engine, environment: dict[str, str]
) -> None:
    """The relay dies after it has handled a page, and before it has parked an event and moved its cursor."""
    for number in range(4):
        shop.handle(Allocate(f"o{number}", "S" if number < 3 else "T", 1))
    damaged = DamagedEvent(engine, "S", 3).without("line")
    with Listener(redis) as listener:
        with engine.connect() as holder, running("relay", environment) as relay:
            holder.execute(text("SELECT FROM subscriptions WHERE name = 'line_allocated' FOR UPDATE"))
            eventually(lambda: waiting(engine, PARK))
            relay.kill()
            relay.wait()
            holder.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            )
            eventually(lambda: not waiting(engine, PARK))
        assert states(engine, "line_allocated") == []
        with running("relay", environment):
            eventually(lambda: states(engine, "line_allocated") == [("S", 3, "dead"), ("S", 4, "waiting")])
            damaged.repair()
            run_to_end("dead retry --all", environment)
            eventually(lambda: states(engine, "line_allocated") == [])
    assert [order for order, batch in listener.batches() if batch == "b-S"] == ["o0", "o1", "o2"]
