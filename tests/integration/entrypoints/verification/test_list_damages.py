"""Verify names every damage of a list and nothing else, and repair restores the list."""

import pytest
from sqlalchemy import Engine

from allocation.entrypoints.verification import Scope
from readmodel.store.lists import member
from readmodel.store.store import Store
from readmodel.views.orders import order_key
from tests.support.readmodel.list_damages import DAMAGES, HISTORY, LISTS, WAITING, Damage, lose_entry
from tests.support.readmodel.rebuilds import fingerprint
from tests.support.readmodel.verification import places, verification, verifier

SLOW = ("waiting", "products", "short")
"""Lists whose damages `make test` leaves out: it has those of the other lists of registers."""
CASES = [
    pytest.param(damage, id=name, marks=[pytest.mark.slow] if name.endswith(SLOW) else [])
    for name, damage in DAMAGES.items()
]


@pytest.mark.parametrize("damage", CASES)
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


def test_repair_of_a_register_also_corrects_its_entries(shop: Store, engine: Engine) -> None:
    """An event of release 0.2.0 has no place, so a line may get a wrong one. It must not be on the list twice."""
    live, register = shop.generations().live or "", f"{shop.generations().live}:{order_key('o3')}"
    right = str(shop.redis.hget(register, "S"))
    wrong = right.replace(":a5 ", ":a9 ")
    assert wrong != right
    shop.redis.hset(register, "S", wrong)
    shop.redis.delete(f"{live}:{WAITING}")
    shop.redis.zadd(f"{live}:{WAITING}", {member("a9", "o3", wrong): 0})
    found = {difference.field: difference for difference in verification(shop, engine).differences()}
    verifier(shop, engine).repair(found["S"])
    assert shop.redis.zrange(f"{live}:{WAITING}", 0, -1) == [member("a5", "o3", right)]
    assert places(shop, engine) == set()
