"""Verify distinguishes an entry that a history has trimmed from a lost one, and loses no entry of another list."""

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate, ChangeLineQuantity, CreateBatch
from allocation.entrypoints.verification import Scope
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.digest import digest
from readmodel.projector.rebuild import rebuild
from readmodel.store.formats import Format
from readmodel.store.store import Store
from readmodel.views.order_history import history_key
from tests.support.readmodel.list_damages import entries
from tests.support.readmodel.rebuilds import fingerprint, follow_to_the_end
from tests.support.readmodel.verification import places, verification

KEPT = 3
HISTORY = history_key("busy")


@pytest.fixture
def trimmed(projecting_bus: MessageBus, model: Store, log: EventLog) -> Store:
    """Views whose histories keep three events, and an order with eight."""
    projecting_bus.handle(CreateBatch("b1", "S", 100))
    projecting_bus.handle(Allocate("busy", "S", 1))
    for qty in range(2, 9):
        projecting_bus.handle(ChangeLineQuantity("busy", "S", qty))
    for number in range(2 * KEPT):
        projecting_bus.handle(CreateBatch(f"c{number}", "S", 5))
    rebuild(model, log, PROJECTION, target=Format(2, KEPT))
    follow_to_the_end(model, log)
    return model


def test_trimmed_events_are_no_damage(trimmed: Store, engine: Engine) -> None:
    assert len(entries(trimmed.redis, trimmed.generations().live or "", HISTORY)) == KEPT
    for scope in (Scope(), Scope(orderid="busy"), Scope(sku="S"), Scope(sample=100)):
        assert places(trimmed, engine, scope) == set()


@pytest.mark.parametrize("lost", [1, 2, KEPT])
def test_repair_restores_only_the_last_events(trimmed: Store, engine: Engine, lost: int) -> None:
    before, live = fingerprint(trimmed), trimmed.generations().live or ""
    expected = {(HISTORY, entry) for entry in entries(trimmed.redis, live, HISTORY)[:lost]}
    trimmed.redis.zremrangebyrank(f"{live}:{HISTORY}", 0, lost - 1)
    assert places(trimmed, engine) == expected
    assert places(trimmed, engine, Scope(orderid="busy")) == expected
    list(verification(trimmed, engine).repair())
    assert fingerprint(trimmed) == before


def test_a_history_with_too_many_events_is_trimmed(trimmed: Store, engine: Engine, log: EventLog) -> None:
    before, live = fingerprint(trimmed), trimmed.generations().live or ""
    page, _ = log.read(0)
    [first] = [write for write in PROJECTION.fold(list(page)[1:2], Format(2, KEPT)) if write.key == HISTORY]
    trimmed.redis.zadd(f"{live}:{HISTORY}", {first.member: 0})  # type: ignore[union-attr]
    assert places(trimmed, engine) == {(HISTORY, first.member.decode())}  # type: ignore[union-attr]
    list(verification(trimmed, engine).repair())
    assert digest(trimmed.redis, live) == before


@pytest.mark.parametrize("kind", ["room", "products"])
def test_the_first_entry_of_a_long_list_is_missed(trimmed: Store, engine: Engine, kind: str) -> None:
    """Only histories trim their first entries."""
    live = trimmed.generations().live or ""
    [key] = [
        str(key).removeprefix(f"{live}:")
        for key in trimmed.redis.scan_iter(f"{live}:*:list:{kind}:*")
        if kind == "room" or "\0S\0" in str(trimmed.redis.zrange(str(key), 0, 0)[0])
    ]
    first = entries(trimmed.redis, live, key)[0]
    trimmed.redis.zremrangebyrank(f"{live}:{key}", 0, 0)
    assert places(trimmed, engine) == {(key, first)}
