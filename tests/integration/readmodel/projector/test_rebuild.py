import threading

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog, LogBehind
from allocation.domain.events import LineState, OutOfStock, Totals
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import FIRST_EPOCH
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import RebuildFailed, rebuild
from readmodel.store import generations
from readmodel.store.errors import HistoryChanged
from readmodel.store.functions import Step
from readmodel.store.generations import Generations
from readmodel.store.registers import Register, encode
from readmodel.store.store import Store
from readmodel.views import orders
from readmodel.views.products import product_key
from tests.support.adapters.event_log import append, out_of_stock
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.readmodel.rebuilds import (
    Stage,
    allocate_some,
    disturbed_rebuild,
    fingerprint,
    follow_to_the_end,
)


def test_a_rebuild_creates_the_same_views(projecting_bus: MessageBus, model: Store, log: EventLog) -> None:
    allocate_some(projecting_bus)
    before, live = fingerprint(model), model.generations().live
    rebuilt = rebuild(model, log, PROJECTION)
    assert fingerprint(model) == before
    assert str(rebuilt) == f"Rebuilt the views from {log.end() - 1} events. The former views were the same"
    assert model.generations().live != live
    assert {key.partition(":")[0] for key in model.redis.scan_iter("g*:*")} == {model.generations().live}


@pytest.mark.slow
def test_a_rebuild_reports_how_the_former_views_differed(bus: MessageBus, model: Store, log: EventLog) -> None:
    allocate_some(bus)
    rebuild(model, log, PROJECTION)
    model.redis.hset(f"{model.generations().live}:{orders.order_key('ghost')}", "S", "7 {}")
    assert str(rebuild(model, log, PROJECTION)).endswith(
        f"The former views differed in 1 register, for example {orders.order_key('ghost')} S: "
        "found 7 {}, expected nothing"
    )


@pytest.mark.parametrize("stage", Stage)
def test_a_write_during_a_rebuild_is_not_lost(
    projecting_bus: MessageBus, model: Store, log: EventLog, engine: Engine, stage: Stage
) -> None:
    allocate_some(projecting_bus)
    disturbed_rebuild(model, engine, lambda: allocate_some(projecting_bus, "during"), stage)
    assert model.read(lambda snapshot: orders.order(snapshot, "during1")).value is not None
    right = fingerprint(model)
    rebuild(model, log, PROJECTION)
    assert fingerprint(model) == right


def test_a_commit_without_a_fast_path_survives_a_rebuild(bus: MessageBus, model: Store, engine: Engine) -> None:
    """The commit falls between the fill and the announcement. Only catching up past the fence finds it."""
    allocate_some(bus)
    disturbed_rebuild(model, engine, lambda: allocate_some(bus, "late"), Stage.AFTER_THE_FILL)
    assert model.read(lambda snapshot: orders.order(snapshot, "late1")).value is not None


def test_a_switch_never_takes_readers_back_in_time(
    bus: MessageBus, model: Store, log: EventLog, engine: Engine
) -> None:
    """A commit follows after the rebuild has read the log's end, and the relay shows it in the live generation."""
    allocate_some(bus)

    class Overtaken(EventLog):
        def end(self) -> int:
            end = super().end()
            if model.generations().other:
                allocate_some(bus, "shown")
                follow_to_the_end(Store(model.redis), log)
            return end

    rebuild(model, Overtaken(engine), PROJECTION)
    assert model.read(lambda snapshot: orders.order(snapshot, "shown1")).value is not None


def test_a_rebuild_waits_for_transactions_that_are_open(
    bus: MessageBus, model: Store, log: EventLog, engine: Engine
) -> None:
    """A writer that began before the announcement writes only to the former generation."""
    allocate_some(bus)
    live = model.generations().live
    line = LineState("open", 5, "waiting", None)
    with engine.connect() as writer:
        append(writer, OutOfStock("X", 1, Totals(), (), line))
        allocate_some(bus, "behind")
        thread = threading.Thread(target=rebuild, args=(model, log, PROJECTION))
        thread.start()
        eventually(lambda: Store(model.redis).generations().other)
        assert thread.is_alive()
        writer.commit()
        thread.join(PATIENCE)
    assert model.generations().live != live
    assert model.read(lambda snapshot: orders.order(snapshot, "open")).value is not None
    assert model.read(lambda snapshot: orders.order(snapshot, "behind1")).value is not None


def test_a_rebuild_does_not_wait_for_an_idle_transaction(
    projecting_bus: MessageBus, model: Store, log: EventLog, engine: Engine
) -> None:
    """It applies the committed events beyond the fence, so that the switch takes nothing back."""
    with engine.connect() as writer:
        append(writer, out_of_stock("X", 1))
        held = log.end() - 1
        allocate_some(projecting_bus)
        shown = fingerprint(model)
        model.redis.flushdb()
        rebuild(model, log, PROJECTION)
        assert (fingerprint(model), model.cursor(model.generations().live or "", log.identity())) == (shown, held)
        assert model.read(lambda snapshot: snapshot.hashes()).warning is None
        writer.commit()
    follow_to_the_end(model, log)
    assert model.cursor(model.generations().live or "", log.identity()) == log.end()


def test_a_rebuild_replaces_the_views_of_a_former_history(
    projecting_bus: MessageBus, model: Store, log: EventLog, engine: Engine
) -> None:
    """Until the switch, readers get a warning."""
    allocate_some(projecting_bus)
    right, warnings = fingerprint(model), list[str | None]()
    log.adopt([])
    with pytest.raises(HistoryChanged):
        follow(model, log, PROJECTION)
    rebuild(model, log, PROJECTION, lambda *_: warnings.append(model.read(lambda snapshot: snapshot.hashes()).warning))
    assert set(warnings) == {"suspect"}
    assert (fingerprint(model), model.read(lambda snapshot: snapshot.hashes()).warning) == (right, None)
    assert not follow(model, log, PROJECTION)


def test_a_rebuild_never_switches_to_incomplete_views(
    bus: MessageBus, model: Store, log: EventLog, engine: Engine
) -> None:
    allocate_some(bus)
    rebuild(model, log, PROJECTION)
    live, right = model.generations().live, fingerprint(model)

    def lose_a_product() -> None:
        new = model.generations().other
        assert new is not None
        model.redis.delete(f"{new}:{product_key('S1')}")

    class Losing(EventLog):
        def end(self) -> int:
            if model.generations().other:
                lose_a_product()
            return super().end()

    with pytest.raises(RebuildFailed, match="for example 'S1'"):
        rebuild(model, Losing(engine), PROJECTION)
    assert (model.generations(), fingerprint(model)) == (Generations(live), right)


def test_a_rebuild_deletes_what_a_killed_one_left(bus: MessageBus, model: Store, log: EventLog) -> None:
    allocate_some(bus)
    live = model.generations().live
    generations.begin_filling(model.redis, model.names, "g99", log.identity(), FIRST_EPOCH)
    generations.open_for_writers(model.redis, "g99", "")
    assert generations.swap(model.redis, model.names, Generations(live), Generations(live, "g99"))
    rebuild(model, log, PROJECTION)
    assert model.generations().other is None
    assert {key.partition(":")[0] for key in model.redis.scan_iter("g*:*")} == {model.generations().live}


def test_a_rebuild_follows_a_log_restored_from_a_backup(bus: MessageBus, model: Store, log: EventLog) -> None:
    """The log has the same identity, but ends before an event that the views show."""
    allocate_some(bus)
    rebuild(model, log, PROJECTION)
    right, live = fingerprint(model), model.generations().live
    lost = Register(orders.order_key("lost"), "S1", 1, encode(1, {"qty": 1, "status": "waiting", "batchref": None}))
    assert model.advance(live or "", [lost], log.identity(), Step(0, 1_000_000, ""))
    with pytest.raises(LogBehind):
        follow(model, log, PROJECTION)
    rebuild(model, log, PROJECTION)
    assert fingerprint(model) == right
    assert not follow(model, log, PROJECTION)
