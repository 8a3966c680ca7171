"""Redis sets registers only to newer versions."""

import threading
from concurrent.futures import ThreadPoolExecutor

from redis import Redis

from allocation.event_handlers import PROJECTION
from readmodel.store.generations import Generations
from readmodel.store.registers import Register, encode
from readmodel.store.store import Store
from readmodel.views import products
from tests.support.readmodel.generations import EVENTS, LOG, announce_generation, line, stored


def test_a_register_keeps_its_newest_version(store: Store, live: str) -> None:
    store.apply([line(9, "old")], LOG)
    store.apply([line(10, "new")], LOG)
    store.apply([line(9, "late")], LOG)
    store.apply([line(10, "again")], LOG)
    assert stored(store) == {"S": '10 {"state":"new"}'}


def test_five_concurrent_applications_have_one_effect(store: Store, live: str) -> None:
    barrier = threading.Barrier(5)

    def apply(_: int) -> None:
        barrier.wait()
        store.apply(PROJECTION.fold(EVENTS), LOG)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(apply, range(5)))
    expected = Store(store.redis).read(lambda snapshot: products.product(snapshot, "RED-CHAIR")).value
    assert expected is not None
    assert (expected["available"], expected["version"]) == (19, 15)


def test_events_in_reverse_order_leave_the_same_views(store: Store, live: str) -> None:
    for event in reversed(EVENTS):
        store.apply(PROJECTION.fold([event]), LOG)
    reverse = {key: stored(store, "g1", key) for key in view_keys(store.redis)}
    store.redis.flushdb()
    announce_generation(store, Generations(), "g1")
    store.apply(PROJECTION.fold(EVENTS), LOG)
    assert {key: stored(store, "g1", key) for key in view_keys(store.redis)} == reverse


def view_keys(redis: Redis) -> list[str]:
    return [key.removeprefix("g1:") for key in redis.scan_iter("g1:*", _type="hash")]


def test_a_register_keeps_its_version_when_it_moves(store: Store, live: str) -> None:
    """A batch moves between two hashes when it is used up and when it has room again."""
    with_room, used_up = products.product_key("S"), products.used_up_key("S")
    store.apply([Register(with_room, "batch:b", 1, encode(1, {"n": 1}), former_key=used_up)], LOG)
    store.apply([Register(used_up, "batch:b", 2, encode(2, {"n": 2}), former_key=with_room)], LOG)
    assert (stored(store, key=with_room), stored(store, key=used_up)) == ({}, {"batch:b": '2 {"n":2}'})
    store.apply([Register(with_room, "batch:b", 1, encode(1, {"n": 1}), former_key=used_up)], LOG)
    assert stored(store, key=with_room) == {}, "an older version must not move the batch back"
    store.apply([Register(with_room, "batch:b", 3, encode(3, {"n": 3}), former_key=used_up)], LOG)
    assert (stored(store, key=with_room), stored(store, key=used_up)) == ({"batch:b": '3 {"n":3}'}, {})
