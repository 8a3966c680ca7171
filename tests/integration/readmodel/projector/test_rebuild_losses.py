"""Redis loses something during a rebuild. No reader may ever get incomplete views."""

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.rebuild import RebuildFailed, rebuild
from readmodel.store import keys
from readmodel.store.errors import ModelAbsent
from readmodel.store.names import PLAIN
from readmodel.store.store import Store
from readmodel.views import orders
from tests.support.readmodel.rebuilds import Stage, allocate_some, disturbed_rebuild

with_and_without_a_live_model = pytest.mark.parametrize(
    "has_live_model", [True, False], ids=["live-model", "no-live-model"]
)


@with_and_without_a_live_model
@pytest.mark.parametrize("stage", Stage)
def test_a_flush_during_a_rebuild_never_leaves_empty_views(
    bus: MessageBus, model: Store, log: EventLog, engine: Engine, has_live_model: bool, stage: Stage
) -> None:
    allocate_some(bus)
    if not has_live_model:
        model.redis.flushdb()
    try:
        disturbed_rebuild(model, engine, model.redis.flushdb, stage)
    except RebuildFailed:
        with pytest.raises(ModelAbsent):
            model.read(lambda snapshot: orders.order(snapshot, "o1"))
        rebuild(model, log, PROJECTION)
    assert model.read(lambda snapshot: orders.order(snapshot, "o1")).value is not None
    started_again = model.redis.get(PLAIN.generation_counter) == "1"
    assert stage is Stage.BEFORE_THE_FILL or started_again, "only a new rebuild restores what the flush removed"


@with_and_without_a_live_model
def test_a_flush_between_two_pages_ends_the_rebuild(
    bus: MessageBus, model: Store, log: EventLog, has_live_model: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later pages contain every product. So the comparison with the log would not notice the loss."""
    allocate_some(bus)
    monkeypatch.setattr("readmodel.projector.fill.READ_AT_ONCE", 10)
    if not has_live_model:
        model.redis.flushdb()

    def flush_once(events: int, position: int, end: int) -> None:
        if events == 10:
            model.redis.flushdb()

    with pytest.raises(RebuildFailed):
        rebuild(model, log, PROJECTION, flush_once)
    with pytest.raises(ModelAbsent):
        model.read(lambda snapshot: orders.order(snapshot, "o1"))


def test_a_redis_that_returns_to_a_snapshot_ends_the_rebuild(
    bus: MessageBus, model: Store, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart from an older snapshot, Redis lacks registers from the middle of the fill."""
    allocate_some(bus)
    monkeypatch.setattr("readmodel.projector.fill.READ_AT_ONCE", 10)

    def return_to_snapshot(events: int, position: int, end: int) -> None:
        if events == 10:
            [filled] = model.redis.keys(f"*:{keys.filled('{07}')}")
            model.redis.set(filled, 3)

    with pytest.raises(RebuildFailed):
        rebuild(model, log, PROJECTION, return_to_snapshot)
