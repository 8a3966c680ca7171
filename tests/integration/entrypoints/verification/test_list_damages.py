"""Verify names every damage of a list and nothing else, and repair restores the list."""

import pytest
from sqlalchemy import Engine

from allocation.entrypoints.verification import Scope
from readmodel.store.store import Store
from tests.support.readmodel.list_damages import DAMAGES, HISTORY, LISTS, Damage, lose_entry
from tests.support.readmodel.rebuilds import fingerprint
from tests.support.readmodel.verification import places, verification


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_verify_names_a_damage_and_repair_restores(shop: Store, engine: Engine, damage: Damage) -> None:
    before = fingerprint(shop)
    expected = damage(shop.redis, shop.generations().live or "")
    assert expected
    assert places(shop, engine) == expected
    list(verification(shop, engine).repair())
    assert places(shop, engine) == set()
    assert fingerprint(shop) == before


@pytest.mark.parametrize(
    ("scope", "lists"),
    [
        (Scope(sku="S"), {"room", "waiting", "products", "short", "history"}),
        (Scope(sku="T"), set()),
        (Scope(orderid="o3"), {"waiting"}),
        (Scope(orderid="o4"), set()),
        (Scope(sample=100), {"room", "waiting", "products", "short", "history"}),
    ],
    ids=["product", "another-product", "order", "another-order", "sample"],
)
def test_a_scope_limits_the_lists(shop: Store, engine: Engine, scope: Scope, lists: set[str]) -> None:
    live = shop.generations().live or ""
    lost = {name: lose_entry(key)(shop.redis, live) for name, key in LISTS.items() if name != "history"}
    first = str(shop.redis.zrange(f"{live}:{HISTORY}", 0, 0)[0])
    shop.redis.zrem(f"{live}:{HISTORY}", first)
    lost["history"] = {(HISTORY, first)}
    assert places(shop, engine, scope) == set().union(*(lost[name] for name in lists))
