"""Redis sets registers only to newer versions."""

import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from readmodel.projector.digest import digest
from readmodel.store.generations import Generations
from readmodel.store.registers import Register, encode
from readmodel.store.store import Store
from readmodel.views import products
from readmodel.views.format_1 import used_up_key
from tests.support.readmodel.generations import EVENTS, LOG, always, announce_generation, fold_of, line, stored


def test_a_register_keeps_its_newest_version(store: Store, live: str) -> None:
    store.apply(always(line(9, "old")), LOG)
    store.apply(always(line(10, "new")), LOG)
    store.apply(always(line(9, "late")), LOG)
    store.apply(always(line(10, "again")), LOG)
    assert stored(store) == {"S": '10 {"state":"new"}'}


def test_five_concurrent_applications_have_one_effect(store: Store, live: str) -> None:
    barrier = threading.Barrier(5)

    def apply(_: int) -> None:
        barrier.wait()
        store.apply(fold_of(EVENTS), LOG)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(apply, range(5)))
    expected = Store(store.redis).read(lambda snapshot: products.product(snapshot, "RED-CHAIR")).value
    assert expected is not None
    assert (expected["available"], expected["version"]) == (19, 15)


@pytest.mark.parametrize("name", ["g1", "g1.2.100", "g1.2.2"])
def test_late_and_repeated_events_leave_the_same_views(store: Store, name: str) -> None:
    """The lists and the trimmed histories of orders, too."""
    announce_generation(store, Generations(), name)
    store.apply(fold_of(EVENTS), LOG)
    expected = digest(store.redis, name)
    for seed in range(10):
        store.redis.flushdb()
        announce_generation(store, Generations(), name)
        events = [*EVENTS, *EVENTS]
        Random(seed).shuffle(events)
        for event in events:
            store.apply(fold_of([event]), LOG)
        assert digest(store.redis, name) == expected, seed


def test_a_register_keeps_its_version_when_it_moves(store: Store, live: str) -> None:
    """A batch moves between two hashes when it is used up and when it has room again."""
    with_room, used_up = products.product_key("S"), used_up_key("S")
    store.apply(always(Register(with_room, "batch:b", 1, encode(1, {"n": 1}), former_key=used_up)), LOG)
    store.apply(always(Register(used_up, "batch:b", 2, encode(2, {"n": 2}), former_key=with_room)), LOG)
    assert (stored(store, key=with_room), stored(store, key=used_up)) == ({}, {"batch:b": '2 {"n":2}'})
    store.apply(always(Register(with_room, "batch:b", 1, encode(1, {"n": 1}), former_key=used_up)), LOG)
    assert stored(store, key=with_room) == {}, "an older version must not move the batch back"
    store.apply(always(Register(with_room, "batch:b", 3, encode(3, {"n": 3}), former_key=used_up)), LOG)
    assert (stored(store, key=with_room), stored(store, key=used_up)) == ({"batch:b": '3 {"n":3}'}, {})
