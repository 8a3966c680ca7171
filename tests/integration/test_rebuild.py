import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from allocation.adapters import event_log
from allocation.adapters.event_log import EventLog
from allocation.domain.commands import Allocate, CreateBatch
from allocation.domain.events import LineState, OutOfStock
from allocation.domain.model import NOTHING
from allocation.service_layer.messagebus import MessageBus
from readmodel import generations, keys
from readmodel.digest import digest
from readmodel.follower import follow
from readmodel.generations import Generations
from readmodel.projections import orders
from readmodel.rebuild import RebuildFailed, rebuild
from readmodel.store import ModelAbsent, Store
from tests.eventually import eventually


def some_orders(bus: MessageBus, name: str = "o", count: int = 30) -> None:
    batches = [CreateBatch(f"{name}-b{n}", f"S{n % 5}", 20) for n in range(10)]
    lines = [Allocate(f"{name}{n % 7}", f"S{n % 5}", n % 9 + 1) for n in range(count)]
    list(bus.handle_all([*batches, *lines]))


def fingerprint(store: Store) -> str:
    live = store.generations().live
    assert live is not None
    return digest(store.redis, live)


BEFORE_THE_FILL, DURING_THE_FILL, BEFORE_THE_ANNOUNCEMENT, AFTER_THE_ANNOUNCEMENT = 1, 2, 3, 4


class Meddling:
    """A log at one of whose calls something else happens."""

    def __init__(self, log: EventLog, meddle: Callable[[], Any], at_call: int) -> None:
        self._log = log
        self._meddle = meddle
        self._calls_left = at_call

    def end(self) -> int:
        self._count()
        return self._log.end()

    def read(self, after: int) -> tuple[Sequence[Mapping[str, Any]], int]:
        self._count()
        return self._log.read(after)

    def _count(self) -> None:
        self._calls_left -= 1
        if self._calls_left == 0:
            self._meddle()


def test_a_rebuild_gives_the_same_views(projecting_bus: MessageBus, model: Store, log: EventLog) -> None:
    # W24
    some_orders(projecting_bus)
    before, live = fingerprint(model), model.generations().live
    events = rebuild(model, log)
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
    assert model.cursor(model.generations().live or "") == empty
    while follow(model, log):
        pass
    assert fingerprint(model) == by_the_fast_path
    rebuild(model, log)
    assert fingerprint(model) == by_the_fast_path


def test_the_digest_tells_views_apart(bus: MessageBus, model: Store, log: EventLog) -> None:
    some_orders(bus)
    before = fingerprint(model)
    while follow(model, log):
        pass
    assert fingerprint(model) != before
    right = fingerprint(model)
    model.redis.hset(f"{model.generations().live}:{keys.order('o1')}", "S1", "1 {}")
    assert fingerprint(model) != right


@pytest.mark.parametrize("at_call", [BEFORE_THE_FILL, DURING_THE_FILL, BEFORE_THE_ANNOUNCEMENT, AFTER_THE_ANNOUNCEMENT])
def test_a_write_during_the_rebuild_is_not_lost(
    projecting_bus: MessageBus, model: Store, log: EventLog, at_call: int
) -> None:
    some_orders(projecting_bus)
    written: list[str] = []

    def write() -> None:
        some_orders(projecting_bus, "during")
        written.append("during")

    rebuild(model, Meddling(log, write, at_call))
    right = fingerprint(model)
    assert written
    rebuild(model, log)
    assert fingerprint(model) == right


def test_a_commit_without_a_fast_path_during_the_rebuild_is_not_lost(
    bus: MessageBus, model: Store, log: EventLog
) -> None:
    """Committed behind the fill and before the announcement: only catching up past the fence finds it."""
    some_orders(bus)
    rebuild(model, Meddling(log, lambda: some_orders(bus, "late"), BEFORE_THE_ANNOUNCEMENT))
    assert model.read(lambda snapshot: orders.order(snapshot, "late1")) is not None


def test_the_rebuild_waits_for_a_transaction_that_was_open_at_the_announcement(
    bus: MessageBus, model: Store, log: EventLog, engine: Engine
) -> None:
    some_orders(bus)
    live = model.generations().live
    line = LineState("open", 5, "waiting", None)
    with engine.connect() as writer:
        event_log.append(writer, [OutOfStock("X", 1, NOTHING, (), line)], datetime.now(UTC))
        some_orders(bus, "behind")
        thread = threading.Thread(target=rebuild, args=(model, log))
        thread.start()
        eventually(lambda: Store(model.redis).generations().other)
        assert thread.is_alive()
        writer.commit()
        thread.join(20)
    assert model.generations().live != live
    assert model.read(lambda snapshot: orders.order(snapshot, "open")) is not None
    assert model.read(lambda snapshot: orders.order(snapshot, "behind1")) is not None


def test_a_flush_during_the_rebuild_ends_it_and_is_no_empty_model(bus: MessageBus, model: Store, log: EventLog) -> None:
    some_orders(bus)
    with pytest.raises((RebuildFailed, ModelAbsent)):
        rebuild(model, Meddling(log, model.redis.flushdb, BEFORE_THE_ANNOUNCEMENT))
    with pytest.raises(ModelAbsent):
        model.read(lambda snapshot: orders.order(snapshot, "o1"))
    rebuild(model, log)
    assert model.read(lambda snapshot: orders.order(snapshot, "o1")) is not None


def test_a_generation_that_lacks_something_is_not_switched_to(bus: MessageBus, model: Store, log: EventLog) -> None:
    some_orders(bus)
    rebuild(model, log)
    live, right = model.generations().live, fingerprint(model)

    def lose_a_product() -> None:
        new = model.generations().other
        assert new is not None
        model.redis.delete(f"{new}:{keys.product('S1')}")

    class Losing(EventLog):
        def end(self) -> int:
            if model.generations().other:
                lose_a_product()
            return super().end()

    with pytest.raises(RebuildFailed, match="'S1' among them"):
        rebuild(model, Losing(log._engine))
    assert (model.generations(), fingerprint(model)) == (Generations(live), right)


def test_what_a_killed_rebuild_left_is_cleared_up_by_the_next(bus: MessageBus, model: Store, log: EventLog) -> None:
    some_orders(bus)
    live = model.generations().live
    generations.open_for_writers(model.redis, "g99", 0)
    assert generations.swap(model.redis, Generations(live), Generations(live, "g99"))
    rebuild(model, log)
    assert model.generations().other is None
    assert {key.partition(":")[0] for key in model.redis.scan_iter("g*:*")} == {model.generations().live}
