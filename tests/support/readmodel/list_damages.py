"""Damages of lists. Each returns the places that are then wrong. They fit the fixture `shop` of those tests."""

from collections.abc import Callable

from redis import Redis

from readmodel.store import keys
from readmodel.store.lists import list_key, parse_entry
from readmodel.views.order_history import history_key
from readmodel.views.orders import order_key, waiting_key
from readmodel.views.products import ALL, SHORT, room_key
from tests.support.readmodel.damages import Place

Damage = Callable[[Redis, str], set[Place]]
ROOM = room_key("S")
WAITING = waiting_key(keys.bucket_of(order_key("o3")), "S")
PRODUCTS, SHORT_OF = (list_key(kind, keys.bucket_for("S")) for kind in (ALL, SHORT))
HISTORY = history_key("o1")
LISTS = {"room": ROOM, "waiting": WAITING, "products": PRODUCTS, "short": SHORT_OF, "history": HISTORY}


def entries(redis: Redis, live: str, key: str) -> list[str]:
    return [str(entry) for entry in redis.zrange(f"{live}:{key}", 0, -1)]


def lose_entry(key: str) -> Damage:
    def lose(redis: Redis, live: str) -> set[Place]:
        lost = entries(redis, live, key)[-1]
        assert redis.zrem(f"{live}:{key}", lost)
        return {(key, lost)}

    return lose


def add_entry(key: str, entry: str) -> Damage:
    def add(redis: Redis, live: str) -> set[Place]:
        assert redis.zadd(f"{live}:{key}", {entry: 0})
        return {(key, entry)}

    return add


def change_entry(key: str, change: Callable[[str], str]) -> Damage:
    """Replace the last entry by a changed one."""

    def replace(redis: Redis, live: str) -> set[Place]:
        before = entries(redis, live, key)[-1]
        after = change(before)
        assert after != before
        assert redis.zrem(f"{live}:{key}", before)
        assert redis.zadd(f"{live}:{key}", {after: 0})
        return {(key, before), (key, after)}

    return replace


def lose_list(key: str) -> Damage:
    def lose(redis: Redis, live: str) -> set[Place]:
        found = entries(redis, live, key)
        assert redis.delete(f"{live}:{key}")
        return {(key, entry) for entry in found}

    return lose


def replace_list(key: str) -> Damage:
    def replace(redis: Redis, live: str) -> set[Place]:
        found = entries(redis, live, key)
        redis.set(f"{live}:{key}", "x")
        return {(key, None)} | {(key, entry) for entry in found}

    return replace


def with_another_order(entry: str) -> str:
    _, name, value = parse_entry(entry)
    return f"a1\0{name}\0{value}"


def to_another_bucket(redis: Redis, live: str) -> set[Place]:
    """Copy a waiting list to the bucket of another order. Its entries are strange there."""
    bucket = next(bucket for bucket in keys.BUCKETS if bucket != keys.bucket_of(WAITING))
    copy = waiting_key(bucket, "S")
    redis.copy(f"{live}:{WAITING}", f"{live}:{copy}")
    return {(copy, entry) for entry in entries(redis, live, WAITING)}


DAMAGES: dict[str, Damage] = {
    **{f"a lost entry of {name}": lose_entry(key) for name, key in LISTS.items()},
    **{f"a lost list of {name}": lose_list(key) for name, key in LISTS.items()},
    **{f"a string instead of {name}": replace_list(key) for name, key in LISTS.items()},
    **{f"an entry that can't be parsed in {name}": add_entry(key, "nonsense") for name, key in LISTS.items()},
    **{f"another order in {name}": change_entry(key, with_another_order) for name, key in LISTS.items()},
    **{f"another value in {name}": change_entry(key, lambda entry: f"{entry} ") for name, key in LISTS.items()},
    "a batch that does not exist": add_entry(ROOM, "0\0never\0001:0 [5,0]"),
    "an older state of a batch": add_entry(ROOM, "0\0b1\0001:0 [10,0]"),
    "a line that does not exist": add_entry(WAITING, "a1\0never\0001:a1 [5,1]"),
    "a line that no longer waits": add_entry(WAITING, "a5\0o2\0005:a5 [15,1]"),
    "a product that does not exist": add_entry(PRODUCTS, "0\0never\0001:0: [5,0,0]"),
    "an event that never happened": add_entry(HISTORY, 'm1795262400000\0S\0c999\0["S",4,"b1"]'),
    "an event of a huge version": add_entry(HISTORY, 'm1795262400000\0S\0s9999999999999999999\0["S",4,"b1"]'),
    "an event of a SKU with NUL": add_entry(HISTORY, 'm1795262400000\0S\0\0a1\0["S",4,"b1"]'),
    "a waiting list in another bucket": to_another_bucket,
    "a list that no view has": lambda redis, live: {
        (key, None) for key in ["{00}:list:never:S"] if redis.zadd(f"{live}:{key}", {"x": 0})
    },
    "a hash with the name of a list": lambda redis, live: {
        (key, None) for key in ["{00}:room:S"] if redis.hset(f"{live}:{key}", "x", "1 {}")
    },
}
