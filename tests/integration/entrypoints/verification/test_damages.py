"""Verify names every damage of the views and nothing else, and repair restores the views."""

import pytest
from sqlalchemy import Engine

from allocation.entrypoints.verification import Scope
from readmodel.store.store import Store
from readmodel.views.products import product_key
from tests.support.readmodel.damages import ALL, LINE, REGISTERS, Damage, Place
from tests.support.readmodel.rebuilds import fingerprint
from tests.support.readmodel.verification import places, verification

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
        (Scope(sku="NOPE"), {(product_key("NOPE"), "totals")}),
        (Scope(orderid="o1"), {(LINE, "S"), (LINE, "T"), (LINE, "NEVER")}),
        (Scope(orderid="o2"), set()),
        (Scope(sample=100), {(LINE, "S"), (LINE, "T")}),
    ],
    ids=["product", "another-product", "a-sound-product", "unknown-product", "order", "another-order", "sample"],
)
def test_a_scope_limits_the_differences(shop: Store, engine: Engine, scope: Scope, expected: set[Place]) -> None:
    live = shop.generations().live
    for sku in ("S", "T", "NEVER"):
        shop.redis.hset(f"{live}:{LINE}", sku, "nonsense")
    shop.redis.hset(f"{live}:{product_key('NOPE')}", "totals", "1 {}")
    assert places(shop, engine, scope) == expected
