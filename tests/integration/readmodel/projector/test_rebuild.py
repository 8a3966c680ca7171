import threading
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres import event_log
from allocation.adapters.postgres.event_log import EventLog, LogBehind
from allocation.domain.commands import Allocate, CreateBatch
from allocation.domain.events import LineState, OutOfStock, Totals
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.digest import digest
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import RebuildFailed, rebuild
from readmodel.store import generations, keys
from readmodel.store.generations import Generations
from readmodel.store.registers import Register, encode
from readmodel.store.snapshot import ModelAbsent
from readmodel.store.store import Store
from readmodel.views import orders
from readmodel.views.products import product_key
from tests.support.eventually import eventually


def some_orders(bus: MessageBus, name: str = "o", count: int = 30) -> None:
    batches = [CreateBatch(f"{name}-b{n}", f"S{n % 5}", 20) for n in range(10)]
    lines = [Allocate(f"{name}{n % 7}", f"S{n % 5}", n % 9 + 1) for n in range(count)]
    list(bus.handle_all([*batches, *lines]))


def fingerprint(store: Store) -> str:
    live = store.generations().live
    assert live is not None
    return digest(store.redis, live)


class Stage(Enum):
    BEFORE_THE_FILL = "before the fill"
    AFTER_THE_FILL = "after the fill, before the announcement"
    AFTER_THE_ANNOUNCEMENT = "after the announcement"


class Meddling(EventLog):
    """A log during whose rebuild something else happens, once."""

    def __init__(self, log: EventLog, meddle: Callable[[], Any], stage: Stage) -> None:
        super().__init__(log._engine)
        self._meddle = meddle
        self._stage = stage
        self._ends = iter([Stage.BEFORE_THE_FILL, Stage.AFTER_THE_ANNOUNCEMENT])

    def end(self) -> int:
        self._reached(next(self._ends, None))
        return super().end()

    def progress(self, events: int, position: int, end: int) -> None:
        if position >= end:
            self._reached(Stage.AFTER_THE_FILL)

    def _reached(self, stage: Stage | None) -> None:
        if stage is self._stage:
            self._meddle()


def rebuild_with(model: Store, log: EventLog, meddle: Callable[[], Any], stage: Stage) -> None:
    meddling = Meddling(log, meddle, stage)
    rebuild(model, meddling, PROJECTION, meddling.progress)


def test_a_rebuild_gives_the_same_views(projecting_bus: MessageBus, model: Store, log: EventLog) -> None:
    # W24
    some_orders(projecting_bus)
    before, live = fingerprint(model), model.generations().live
    events = rebuild(model, log, PROJECTION)
    assert fingerprint(model) == before
    assert events == log.end() - 1
    assert model.generations().live != live
    assert {key.partition(":")[0] for key in model.redis.scan_iter("g*:*")} == {model.generations().live}


def test_the_relay_alone_gives_the_views_of_the_fast_path(
    projecting_bus: MessageBus, model: Store, log: EventLog
) -> None:
    empty = log.end()
    some_orders(projecting_bus)
    by_the_fast_path = fingerprint(model)
    assert model.cursor(model.generations().live or "", log.identity()) == empty
    while follow(model, log, PROJECTION):
        pass
    assert fingerprint(model) == by_the_fast_path
    rebuild(model, log, PROJECTION)
    assert fingerprint(model) == by_the_fast_path


def test_the_digest_tells_views_apart(bus: MessageBus, model: Store, log: EventLog) -> None:
    some_orders(bus)
    before = fingerprint(model)
    while follow(model, log, PROJECTION):
        pass
    assert fingerprint(model) != before
    right = fingerprint(model)
    model.redis.hset(f"{model.generations().live}:{orders.order_key('o1')}", "S1", "1 {}")
    assert fingerprint(model) != right


@pytest.mark.parametrize("stage", Stage)
def test_a_write_during_the_rebuild_is_not_lost(
    projecting_bus: MessageBus, model: Store, log: EventLog, stage: Stage
) -> None:
    some_orders(projecting_bus)
    rebuild_with(model, log, lambda: some_orders(projecting_bus, "during"), stage)
    assert model.read(lambda snapshot: orders.order(snapshot, "during1")) is not None
    right = fingerprint(model)
    rebuild(model, log, PROJECTION)
    assert fingerprint(model) == right


def test_a_commit_without_a_fast_path_during_the_rebuild_is_not_lost(
    bus: MessageBus, model: Store, log: EventLog
) -> None:
    """Committed behind the fill and before the announcement: only catching up past the fence finds it."""
    some_orders(bus)
    rebuild_with(model, log, lambda: some_orders(bus, "late"), Stage.AFTER_THE_FILL)
    assert model.read(lambda snapshot: orders.order(snapshot, "late1")) is not None


def test_what_readers_were_shown_does_not_go_away_with_the_switch(bus: MessageBus, model: Store, log: EventLog) -> None:
    """Committed after the announcement's look at the log, and relayed to the generation that is read."""
    some_orders(bus)

    class Behind(EventLog):
        def end(self) -> int:
            end = super().end()
            if model.generations().other:
                some_orders(bus, "shown")
                while follow(Store(model.redis), log, PROJECTION):
                    pass
            return end

    rebuild(model, Behind(log._engine), PROJECTION)
    assert model.read(lambda snapshot: orders.order(snapshot, "shown1")) is not None


def test_the_relay_brings_a_generation_that_is_being_rebuilt_further_before_the_live_one(
    bus: MessageBus, model: Store, log: EventLog
) -> None:
    live = model.generations().live
    generations.begin_filling(model.redis, "g99", log.identity())
    generations.open_for_writers(model.redis, "g99")
    assert generations.swap(model.redis, Generations(live), Generations(live, "g99"))
    some_orders(bus)
    while follow(model, log, PROJECTION):
        other, read = (model.cursor(name or "", log.identity()) for name in ("g99", live))
        assert (other or 0) >= (read or 0)
    assert digest(model.redis, "g99") == fingerprint(model)


def test_the_rebuild_waits_for_a_transaction_that_was_open_at_the_announcement(
    bus: MessageBus, model: Store, log: EventLog, engine: Engine
) -> None:
    some_orders(bus)
    live = model.generations().live
    line = LineState("open", 5, "waiting", None)
    with engine.connect() as writer:
        event_log.append(writer, [OutOfStock("X", 1, Totals(), (), line)], datetime.now(UTC))
        some_orders(bus, "behind")
        thread = threading.Thread(target=rebuild, args=(model, log, PROJECTION))
        thread.start()
        eventually(lambda: Store(model.redis).generations().other)
        assert thread.is_alive()
        writer.commit()
        thread.join(20)
    assert model.generations().live != live
    assert model.read(lambda snapshot: orders.order(snapshot, "open")) is not None
    assert model.read(lambda snapshot: orders.order(snapshot, "behind1")) is not None


@pytest.mark.parametrize("is_there", [True, False], ids=["with a live model", "without one"])
@pytest.mark.parametrize("stage", Stage)
def test_a_flush_during_the_rebuild_is_never_taken_for_an_empty_model(
    bus: MessageBus, model: Store, log: EventLog, is_there: bool, stage: Stage
) -> None:
    some_orders(bus)
    if not is_there:
        model.redis.flushdb()
    try:
        rebuild_with(model, log, model.redis.flushdb, stage)
    except RebuildFailed:
        with pytest.raises(ModelAbsent):
            model.read(lambda snapshot: orders.order(snapshot, "o1"))
        rebuild(model, log, PROJECTION)
    assert model.read(lambda snapshot: orders.order(snapshot, "o1")) is not None
    assert stage is Stage.BEFORE_THE_FILL or model.redis.get(keys.GENERATION_COUNTER) == "1", "it began again"


@pytest.mark.parametrize("is_there", [True, False], ids=["with a live model", "without one"])
def test_a_flush_between_two_pages_of_the_fill_ends_the_rebuild(
    bus: MessageBus, model: Store, log: EventLog, is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages after it alone look whole: every product is in them."""
    some_orders(bus)
    monkeypatch.setattr("readmodel.projector.fill.READ_AT_ONCE", 10)
    if not is_there:
        model.redis.flushdb()

    def flush_once(events: int, position: int, end: int) -> None:
        if events == 10:
            model.redis.flushdb()

    with pytest.raises(RebuildFailed):
        rebuild(model, log, PROJECTION, flush_once)
    with pytest.raises(ModelAbsent):
        model.read(lambda snapshot: orders.order(snapshot, "o1"))


def test_a_redis_that_went_back_in_time_during_the_fill_ends_the_rebuild(
    bus: MessageBus, model: Store, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restart from an older snapshot: what is missing lies in the middle of what was written."""
    some_orders(bus)
    monkeypatch.setattr("readmodel.projector.fill.READ_AT_ONCE", 10)

    def go_back(events: int, position: int, end: int) -> None:
        if events == 10:
            [filled] = model.redis.keys(f"*:{keys.filled('{07}')}")
            model.redis.set(filled, 3)

    with pytest.raises(RebuildFailed):
        rebuild(model, log, PROJECTION, go_back)


def test_a_generation_that_lacks_something_is_not_switched_to(bus: MessageBus, model: Store, log: EventLog) -> None:
    some_orders(bus)
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
        rebuild(model, Losing(log._engine), PROJECTION)
    assert (model.generations(), fingerprint(model)) == (Generations(live), right)


def test_what_a_killed_rebuild_left_is_cleared_up_by_the_next(bus: MessageBus, model: Store, log: EventLog) -> None:
    some_orders(bus)
    live = model.generations().live
    generations.begin_filling(model.redis, "g99", log.identity())
    generations.open_for_writers(model.redis, "g99")
    assert generations.swap(model.redis, Generations(live), Generations(live, "g99"))
    rebuild(model, log, PROJECTION)
    assert model.generations().other is None
    assert {key.partition(":")[0] for key in model.redis.scan_iter("g*:*")} == {model.generations().live}


def test_a_log_that_was_restored_from_a_backup_gets_its_views_back(
    bus: MessageBus, model: Store, log: EventLog
) -> None:
    """It is the same log, and it ends before what the views tell of."""
    some_orders(bus)
    rebuild(model, log, PROJECTION)
    right, live = fingerprint(model), model.generations().live
    lost = Register(orders.order_key("lost"), "S1", 1, encode(1, {"qty": 1, "status": "waiting", "batchref": None}))
    assert model.advance(live or "", [lost], expected=0, position=1_000_000)
    with pytest.raises(LogBehind):
        follow(model, log, PROJECTION)
    rebuild(model, log, PROJECTION)
    assert fingerprint(model) == right
    assert not follow(model, log, PROJECTION)
