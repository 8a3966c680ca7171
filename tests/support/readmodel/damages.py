"""Damages of the views, each with the places that are then wrong. They fit the fixture `shop` of those tests."""

from collections.abc import Callable

from redis import Redis

from readmodel.store import keys
from readmodel.views.batches import batch_key
from readmodel.views.orders import order_key
from readmodel.views.products import product_key, stock_key

Damage = Callable[[Redis, str], object]
Place = tuple[str, str | None]
LINE = order_key("o1")
HISTORY = keys.history("{03}")


def copy(redis: Redis, source: str, field: str, target: str, new_field: str) -> None:
    redis.hset(target, new_field, str(redis.hget(source, field)))


def lose_bucket(redis: Redis, live: str, bucket: str) -> None:
    for key in redis.scan_iter(f"{live}:{bucket}:*"):
        redis.delete(key)


def replace(redis: Redis, key: str, value: str = "x") -> None:
    redis.delete(key)
    redis.set(key, value)


REGISTERS: dict[str, tuple[Damage, set[Place]]] = {
    "a lost field": (lambda redis, live: redis.hdel(f"{live}:{LINE}", "S"), {(LINE, "S")}),
    "an older value": (
        lambda redis, live: redis.hset(f"{live}:{LINE}", "S", "1:a1 [4,1]"),
        {(LINE, "S")},
    ),
    "a value of another line": (
        lambda redis, live: copy(redis, f"{live}:{order_key('o4')}", "T", f"{live}:{LINE}", "S"),
        {(LINE, "S")},
    ),
    "a higher version": (
        lambda redis, live: redis.hset(f"{live}:{LINE}", "S", '999 [4,0,"b1"]'),
        {(LINE, "S")},
    ),
    "bytes that are no register": (lambda redis, live: redis.hset(f"{live}:{LINE}", "S", b"\xff"), {(LINE, "S")}),
    "a changed reason": (
        lambda redis, live: redis.hset(
            f"{live}:{order_key('o2')}", "S", str(redis.hget(f"{live}:{order_key('o2')}", "S")).replace('"b1"', '"b0"')
        ),
        {(order_key("o2"), "S")},
    ),
    "wrong totals": (
        lambda redis, live: redis.hset(f"{live}:{product_key('S')}", "totals", "9:0: [0,0,0]"),
        {(product_key("S"), "totals")},
    ),
    "a wrong eta": (
        lambda redis, live: redis.hset(
            f"{live}:{batch_key('ship')}", "state", '7 {"sku":"S","qty":20,"allocated":0,"eta":"2030-01-01"}'
        ),
        {(batch_key("ship"), "state")},
    ),
    "a line that does not exist": (
        lambda redis, live: copy(redis, f"{live}:{LINE}", "S", f"{live}:{LINE}", "NEVER"),
        {(LINE, "NEVER")},
    ),
    "a batch of a product that does not exist": (
        lambda redis, live: redis.hset(f"{live}:{stock_key('S')}", "never", "1 [1,0]"),
        {(stock_key("S"), "never")},
    ),
    "a further field of a batch": (
        lambda redis, live: redis.hset(f"{live}:{batch_key('b1')}", "more", "1 {}"),
        {(batch_key("b1"), "more")},
    ),
    "a batch of format 1": (
        lambda redis, live: redis.hset(f"{live}:{product_key('T')}", "batch:used", "1 {}"),
        {(product_key("T"), "batch:used")},
    ),
    "an order that does not exist": (
        lambda redis, live: copy(redis, f"{live}:{LINE}", "S", f"{live}:{order_key('never')}", "S"),
        {(order_key("never"), "S")},
    ),
    "a batch that does not exist": (
        lambda redis, live: copy(redis, f"{live}:{batch_key('b1')}", "state", f"{live}:{batch_key('never')}", "state"),
        {(batch_key("never"), "state")},
    ),
    "a product that does not exist": (
        lambda redis, live: copy(
            redis, f"{live}:{product_key('S')}", "totals", f"{live}:{product_key('never')}", "totals"
        ),
        {(product_key("never"), "totals")},
    ),
    "an order with a name that is not UTF-8": (
        lambda redis, live: redis.hset(f"{live}:{{00}}:order:".encode() + b"\xff", "S", "1 {}"),
        {("{00}:order:\udcff", None)},
    ),
    "a lost order": (
        lambda redis, live: redis.delete(f"{live}:{LINE}"),
        {(LINE, "S"), (LINE, "T")},
    ),
    "a lost batch": (lambda redis, live: redis.delete(f"{live}:{batch_key('b1')}"), {(batch_key("b1"), "state")}),
    "a lost product": (
        lambda redis, live: redis.delete(f"{live}:{product_key('Ünï S:KU')}"),
        {(product_key("Ünï S:KU"), "totals")},
    ),
    "an order of another type": (
        lambda redis, live: replace(redis, f"{live}:{LINE}"),
        {(LINE, "S"), (LINE, "T")},
    ),
    "an order of another type that does not exist": (
        lambda redis, live: redis.set(f"{live}:{order_key('never')}", "x"),
        {(order_key("never"), None)},
    ),
    "a batch of another product": (
        lambda redis, live: copy(redis, f"{live}:{stock_key('S')}", "b1", f"{live}:{stock_key('T')}", "b1"),
        {(stock_key("T"), "b1")},
    ),
    "a batch of another type": (
        lambda redis, live: replace(redis, f"{live}:{batch_key('b1')}"),
        {(batch_key("b1"), "state")},
    ),
    "an order in another bucket": (
        lambda redis, live: redis.copy(f"{live}:{LINE}", f"{live}:{LINE.replace(keys.bucket_of(LINE), '{99}')}"),
        {(LINE.replace(keys.bucket_of(LINE), "{99}"), None)},
    ),
    "a key that is no view": (lambda redis, live: redis.set(f"{live}:{{00}}:note", "x"), {("{00}:note", None)}),
    "a hash that is no view": (
        lambda redis, live: redis.hset(f"{live}:{{00}}:note:1", "a", "x"),
        {("{00}:note:1", None)},
    ),
    "a dead generation": (lambda redis, live: redis.set("g77:{00}:cursor", 5), {("g77:*", None)}),
}
ORGANISATION: dict[str, tuple[Damage, set[Place]]] = {
    "a lost cursor": (lambda redis, live: redis.delete(f"{live}:{{03}}:cursor"), {("{03}:cursor", None)}),
    "a cursor that is no number": (
        lambda redis, live: redis.set(f"{live}:{{03}}:cursor", "abc"),
        {("{03}:cursor", None)},
    ),
    "a cursor of Arabic digits": (
        lambda redis, live: redis.set(f"{live}:{{03}}:cursor", "٧"),
        {("{03}:cursor", None)},
    ),
    "a cursor with an underscore": (
        lambda redis, live: redis.set(f"{live}:{{03}}:cursor", "1_000"),
        {("{03}:cursor", None)},
    ),
    "a cursor of another type": (
        lambda redis, live: redis.delete(f"{live}:{{03}}:cursor") and redis.rpush(f"{live}:{{03}}:cursor", "x"),
        {("{03}:cursor", None)},
    ),
    "a lost bucket": (
        lambda redis, live: lose_bucket(redis, live, keys.bucket_of(LINE)),
        {(keys.cursor(keys.bucket_of(LINE)), None), (keys.history(keys.bucket_of(LINE)), "identity")},
    ),
    "another log": (
        lambda redis, live: redis.hset(f"{live}:{HISTORY}", "identity", "another"),
        {(HISTORY, "identity")},
    ),
    "a lost history": (lambda redis, live: redis.delete(f"{live}:{HISTORY}"), {(HISTORY, "identity")}),
    "a history of another type": (lambda redis, live: replace(redis, f"{live}:{HISTORY}"), {(HISTORY, "identity")}),
}
ALL = REGISTERS | ORGANISATION
