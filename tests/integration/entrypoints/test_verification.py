"""Verify names every damage of the views and nothing else, and repair restores the views."""

from datetime import date

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.checks.state import StateReader
from allocation.adapters.postgres.event_log import EventLog
from allocation.domain.commands import (
    Allocate,
    CancelOrder,
    ChangeBatchEta,
    ChangeBatchQuantity,
    Command,
    CreateBatch,
    Ship,
)
from allocation.entrypoints.verification import Scope, Verification
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector import differences
from readmodel.store.store import Store
from readmodel.views.orders import order_key
from tests.support.readmodel.damages import ALL, LINE, REGISTERS, Damage, Place
from tests.support.readmodel.rebuilds import fingerprint, follow_to_the_end

HISTORY: list[Command] = [
    CreateBatch("b1", "S", 10),
    CreateBatch("ship", "S", 20, date(2027, 1, 15)),
    CreateBatch("used", "T", 3),
    CreateBatch("größe", "Ünï S:KU", 3),
    Allocate("o1", "S", 4),
    Allocate("o2", "S", 15),  # It does not get the first batch, so it has a reason.
    Allocate("o3", "S", 90),
    Allocate("o4", "T", 3),
    Allocate("o 5:{x}", "Ünï S:KU", 1),
    Allocate("o1", "T", 7),
    Ship("o4", "T"),
    CancelOrder("o 5:{x}"),
    ChangeBatchEta("ship", date(2027, 2, 1)),
    ChangeBatchQuantity("b1", 3),
]


@pytest.fixture
def shop(projecting_bus: MessageBus, model: Store, log: EventLog) -> Store:
    """Return a store with lines in every status, a used-up batch, and odd names."""
    list(projecting_bus.handle_all(HISTORY))
    follow_to_the_end(model, log)
    return model


def verification(store: Store, engine: Engine, scope: Scope | None = None) -> Verification:
    return Verification(store, EventLog(engine), PROJECTION, StateReader(engine), scope or Scope())


def places(store: Store, engine: Engine, scope: Scope | None = None) -> set[Place]:
    return {(difference.key, difference.field) for difference in verification(store, engine, scope).differences()}


HIDING = {
    "a lost order",
    "an order of another type",
    "an order of another type that does not exist",
    "a batch of another type",
    "a lost batch",
}


def test_sound_views_have_no_difference(shop: Store, engine: Engine) -> None:
    assert places(shop, engine) == set()


@pytest.mark.parametrize(("damage", "expected"), ALL.values(), ids=ALL)
def test_verify_names_a_damage_and_repair_restores(
    shop: Store, engine: Engine, damage: Damage, expected: set[Place]
) -> None:
    before = fingerprint(shop)
    damage(shop.redis, shop.generations().live or "")
    assert places(shop, engine) == expected
    corrected = {(difference.key, difference.field) for difference in verification(shop, engine).repair()}
    assert corrected >= expected
    assert places(shop, engine) == set()
    assert fingerprint(shop) == before


def test_verify_names_every_damage_of_the_registers_at_once(shop: Store, engine: Engine) -> None:
    """Damages of the same key would hide each other, so this test leaves out whole keys."""
    chosen = {name: case for name, case in REGISTERS.items() if name not in {*HIDING, "bytes that are no register"}}
    for damage, _ in chosen.values():
        damage(shop.redis, shop.generations().live or "")
    assert places(shop, engine) == set().union(*(expected for _, expected in chosen.values()))


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(sku="S"), {(LINE, "S")}),
        (Scope(sku="T"), {(LINE, "T")}),
        (Scope(sku="Ünï S:KU"), set()),
        (Scope(orderid="o1"), {(LINE, "S"), (LINE, "T"), (LINE, "NEVER")}),
        (Scope(orderid="o2"), set()),
        (Scope(sample=100), {(LINE, "S"), (LINE, "T")}),
    ],
    ids=["product", "another-product", "a-sound-product", "order", "another-order", "sample"],
)
def test_a_scope_limits_the_differences(shop: Store, engine: Engine, scope: Scope, expected: set[Place]) -> None:
    live = shop.generations().live
    for sku in ("S", "T", "NEVER"):
        shop.redis.hset(f"{live}:{LINE}", sku, "nonsense")
    assert places(shop, engine, scope) == expected


def test_repair_keeps_a_register_that_has_changed(shop: Store, engine: Engine, projecting_bus: MessageBus) -> None:
    """A command changes the register after verify has seen it. Its new value is right."""
    shop.redis.hset(f"{shop.generations().live}:{LINE}", "S", '1 {"qty":4,"status":"waiting","batchref":null}')
    seen = list(verification(shop, engine).differences())
    projecting_bus.handle(Ship("o1", "S"))
    verification(shop, engine)._verifier.repair(seen)
    assert '"shipped"' in str(shop.redis.hget(f"{shop.generations().live}:{LINE}", "S"))


def test_views_that_lag_are_reported_when_no_relay_runs(
    shop: Store, engine: Engine, bus: MessageBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "SHOWN_WITHIN", 0.2)
    bus.handle(Allocate("late", "S", 1))
    assert (order_key("late"), "S") in places(shop, engine)
