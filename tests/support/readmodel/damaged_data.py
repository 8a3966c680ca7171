"""Data in Redis that the service can't have written, and the paths of queries that find it.

It fits the fixture `damaged` of the tests.
"""

from collections.abc import Callable

from redis import Redis

from readmodel.store import keys
from readmodel.store.lists import list_key
from readmodel.store.names import PLAIN
from readmodel.views.batches import batch_key
from readmodel.views.order_history import history_key
from readmodel.views.orders import order_key, waiting_key
from readmodel.views.products import ALL, room_key

Damage = Callable[[Redis, str], object]


def replace_by_list(redis: Redis, key: str) -> None:
    redis.delete(key)
    redis.rpush(key, "x")


def replace_entries(redis: Redis, key: str, *entries: str) -> None:
    redis.delete(key)
    redis.zadd(key, dict.fromkeys(entries, 0))


def rename_field(redis: Redis, key: str, former: str, new: str) -> None:
    redis.hset(key, new, str(redis.hget(key, former)))
    redis.hdel(key, former)


PRODUCTS, WAITING = list_key(ALL, keys.bucket_for("S")), waiting_key(keys.BUCKETS[5], "S")

OF_THE_WHOLE_MODEL: dict[str, Damage] = {
    "generations that are not UTF-8": lambda redis, live: redis.set(PLAIN.generations, b"\xff\xfe"),
    "generations of another format": lambda redis, live: redis.set(PLAIN.generations, "x y z"),
    "generations of another type": lambda redis, live: replace_by_list(redis, PLAIN.generations),
    "a cursor that is no number": lambda redis, live: redis.set(f"{live}:{keys.cursor(keys.BUCKETS[3])}", "abc"),
    "a cursor of Arabic digits": lambda redis, live: redis.set(f"{live}:{keys.cursor(keys.BUCKETS[3])}", "٧"),
    "a cursor with an underscore": lambda redis, live: redis.set(f"{live}:{keys.cursor(keys.BUCKETS[3])}", "1_0"),
    "a cursor that is not UTF-8": lambda redis, live: redis.set(f"{live}:{keys.cursor(keys.BUCKETS[3])}", b"\xff"),
    "a cursor of another type": lambda redis, live: replace_by_list(redis, f"{live}:{keys.cursor(keys.BUCKETS[3])}"),
    "a history of another type": lambda redis, live: replace_by_list(redis, f"{live}:{keys.history(keys.BUCKETS[3])}"),
    "an epoch that is no number": lambda redis, live: redis.hset(
        f"{live}:{keys.history(keys.BUCKETS[3])}", "epoch", "x"
    ),
    "a mark that can't be parsed": lambda redis, live: redis.hset(
        f"{live}:{keys.history(keys.BUCKETS[3])}", "mark", "1 x"
    ),
    "a counter that is no number": lambda redis, live: (
        redis.set(PLAIN.generation_counter, "abc"),
        redis.set(PLAIN.generations, "x"),
    ),
    "a counter below zero": lambda redis, live: (
        redis.set(PLAIN.generation_counter, "-300"),
        redis.set(PLAIN.generations, "x"),
    ),
}
FOUND_BY_A_QUERY: dict[str, Damage] = {
    "a token of another type": lambda redis, live: replace_by_list(redis, PLAIN.cache_token),
    "an order of another type": lambda redis, live: redis.set(f"{live}:{order_key('o1')}", "x"),
    "a line that is no register": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", "nonsense"),
    "a line that is no JSON": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", "7 {"),
    "a line that is no object": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", "7 []"),
    "a line without members": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", "7 {}"),
    "a line of format 1": lambda redis, live: redis.hset(
        f"{live}:{order_key('o1')}", "S", '7 {"qty": 3, "status": "allocated", "batchref": "b1"}'
    ),
    "a line that is not UTF-8": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", b"\xff"),
    "a batch without members": lambda redis, live: redis.hset(f"{live}:{batch_key('b1')}", "state", "7 {}"),
    "a version that is too large": lambda redis, live: redis.hset(
        f"{live}:{order_key('o1')}", "S", f'{10**30} [3,0,"b1"]'
    ),
    "a SKU that is not UTF-8": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", b"\xff", '7 [3,0,"b1"]'),
    "an unknown status": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", '7 [3,4,"b1"]'),
    "a status that is no number": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", '7 [3,[0],"b1"]'),
    "a batch that is no text": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", "7 [3,0,5]"),
    "a reason of another shape": lambda redis, live: redis.hset(
        f"{live}:{order_key('o1')}", "S", "7 [3,1,null," + "[" * 300 + "]" * 300 + "]"
    ),
    "a reason without members": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", "7 [3,1,null,[[]]]"),
    "a quantity that is true": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", '7 [true,0,"b1"]'),
    "a quantity that is too large": lambda redis, live: redis.hset(
        f"{live}:{batch_key('b1')}", "state", f'7 {{"sku": "S", "qty": {2**64 - 1}, "allocated": -5, "eta": null}}'
    ),
    "a batch without its register": lambda redis, live: rename_field(redis, f"{live}:{batch_key('b1')}", "state", "x"),
    "a quantity that is no number": lambda redis, live: redis.hset(
        f"{live}:{batch_key('b1')}", "state", '7 {"sku": "S", "qty": "x", "allocated": 0, "eta": null}'
    ),
    "totals of another shape": lambda redis, live: replace_entries(redis, f"{live}:{PRODUCTS}", "0\0S\0007:0: [3]"),
    "totals that are no register": lambda redis, live: replace_entries(redis, f"{live}:{PRODUCTS}", "0\0S\0x"),
    "an entry of a product without NUL": lambda redis, live: redis.zadd(f"{live}:{PRODUCTS}", {"0": 0}),
    "products that are not UTF-8": lambda redis, live: redis.zadd(
        f"{live}:{PRODUCTS}", {b"0\0\xff\0001:0: [1,0,0]": 0}
    ),
    "products of another type": lambda redis, live: replace_by_list(redis, f"{live}:{PRODUCTS}"),
    "batches with room of another type": lambda redis, live: redis.set(f"{live}:{room_key('S')}", "x"),
    "a batch with room of another shape": lambda redis, live: redis.zadd(
        f"{live}:{room_key('S')}", {"0\0b0\0007:0 [-5]": 0}
    ),
    "a waiting list of another type": lambda redis, live: redis.set(f"{live}:{WAITING}", "x"),
    "a waiting line of another shape": lambda redis, live: redis.zadd(
        f"{live}:{WAITING}", {"a1\0o1\0007:a1 [-5,1]": 0}
    ),
    "a history of an order of another type": lambda redis, live: replace_by_list(redis, f"{live}:{history_key('o1')}"),
    "an event that is no JSON": lambda redis, live: redis.zadd(f"{live}:{history_key('o1')}", {"a1\0S\0a1\0{": 0}),
    "an event without members": lambda redis, live: redis.zadd(f"{live}:{history_key('o1')}", {"a1\0S\0a1\0[]": 0}),
    "an event without a version": lambda redis, live: redis.zadd(f"{live}:{history_key('o1')}", {"a1\0S\0x": 0}),
    "an event without a time": lambda redis, live: redis.zadd(f"{live}:{history_key('o1')}", {'x\0S\0a1\0["A",1]': 0}),
    "an event in another age": lambda redis, live: redis.zadd(
        f"{live}:{history_key('o1')}", {'s9999999999999999999\0S\0a1\0["A",1]': 0}
    ),
    "an event whose reason is no list": lambda redis, live: redis.zadd(
        f"{live}:{history_key('o1')}", {'a1\0S\0a1\0["A",1,"b1",[5]]': 0}
    ),
    "an event whose name is no text": lambda redis, live: redis.zadd(
        f"{live}:{history_key('o1')}", {"a1\0S\0a1\0[[],1]": 0}
    ),
}
PATHS = (
    "/orders/o1",
    "/orders/o1/history",
    "/allocations/o1",
    "/products",
    "/products?short=1",
    "/products/S",
    "/products/S/waiting",
    "/products/S/promise?qty=1",
    "/batches/b1",
)
