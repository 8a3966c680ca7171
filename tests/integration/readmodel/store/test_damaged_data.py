"""Data in Redis that the service can't have written counts as a damaged model: readers wait, and the relay rebuilds."""

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate, CreateBatch
from allocation.entrypoints.relay.shown_position import shown_position
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.digest import digest
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import rebuild
from readmodel.store.errors import ModelAbsent
from readmodel.store.store import Store
from readmodel.views import orders
from readmodel.views.orders import order_key
from tests.model.oracle import views_are_the_state
from tests.support.edge_client import EdgeClient
from tests.support.readmodel.damaged_data import FOUND_BY_A_QUERY, OF_THE_WHOLE_MODEL, PATHS, Damage


@pytest.fixture
def damaged(projecting_bus: MessageBus, model: Store) -> Store:
    """A model of a batch and an order, which each test then damages."""
    projecting_bus.handle(CreateBatch("b1", "S", 10))
    projecting_bus.handle(Allocate("o1", "S", 3))
    return model


def relay_once(store: Store, log: EventLog) -> str | None:
    """Do what the relay does: follow the log, and rebuild if the model is absent. Return the reason of the rebuild."""
    try:
        while follow(store, log, PROJECTION):
            pass
    except ModelAbsent as loss:
        rebuild(store, log, PROJECTION)
        return str(loss)
    return None


@pytest.mark.parametrize("damage", OF_THE_WHOLE_MODEL.values(), ids=OF_THE_WHOLE_MODEL)
def test_a_damaged_model_fails_no_command(
    damage: Damage, damaged: Store, projecting_bus: MessageBus, log: EventLog, engine: Engine
) -> None:
    damage(damaged.redis, damaged.generations().live or "")
    projecting_bus.handle(Allocate("o2", "S", 1))  # Raises nothing: the command has succeeded.
    reason = relay_once(Store(damaged.redis), log)
    assert reason
    projecting_bus.handle(Allocate("o3", "S", 1))
    assert views_are_the_state(engine, Store(damaged.redis))


@pytest.mark.parametrize("damage", OF_THE_WHOLE_MODEL.values(), ids=OF_THE_WHOLE_MODEL)
def test_a_damaged_model_stops_no_subscription(damage: Damage, damaged: Store, log: EventLog) -> None:
    damage(damaged.redis, damaged.generations().live or "")
    assert shown_position(Store(damaged.redis), log) <= log.end()  # Raises nothing: the relay goes on.


@pytest.mark.parametrize("damage", OF_THE_WHOLE_MODEL.values(), ids=OF_THE_WHOLE_MODEL)
def test_a_damaged_model_answers_no_query_with_a_500(damage: Damage, damaged: Store, client: EdgeClient) -> None:
    damage(damaged.redis, damaged.generations().live or "")
    assert {client.get(path).status for path in PATHS} <= {200, 503}
    assert client.get("/health/ready").status in (200, 503)


@pytest.mark.parametrize("damage", FOUND_BY_A_QUERY.values(), ids=FOUND_BY_A_QUERY)
def test_a_query_that_finds_damage_gets_a_503_until_the_rebuild(
    damage: Damage, damaged: Store, log: EventLog, client: EdgeClient
) -> None:
    before = {path: client.get(path).json for path in PATHS}
    damage(damaged.redis, damaged.generations().live or "")
    statuses = {client.get(path).status for path in PATHS}
    assert 503 in statuses
    assert statuses <= {200, 503}
    reason = relay_once(Store(damaged.redis), log)
    assert reason
    assert {path: client.get(path).json for path in PATHS} == before


def test_commands_after_a_flush_find_the_rebuilt_model(
    damaged: Store, projecting_bus: MessageBus, log: EventLog
) -> None:
    """The fast path must not pause: commands after the rebuild would be missing from the views."""
    damaged.redis.flushdb()
    projecting_bus.handle(Allocate("o2", "S", 1))
    rebuild(damaged, log, PROJECTION)
    projecting_bus.handle(Allocate("o3", "S", 1))
    assert damaged.read(lambda snapshot: orders.order(snapshot, "o3")).value is not None


def test_a_digest_of_a_damaged_model_is_a_digest(damaged: Store) -> None:
    live = damaged.generations().live or ""
    sound = digest(damaged.redis, live)
    damaged.redis.hset(f"{live}:{order_key('o1')}", b"\xff", b"\xff")
    assert digest(damaged.redis, live) != sound
