"""The registers' function, the cursors and the generations, on a real Redis."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from allocation.event_handlers import PROJECTION
from readmodel.store import generations, keys
from readmodel.store.connection import Command, ThreadConnection
from readmodel.store.generations import Generations
from readmodel.store.registers import Register, encode
from readmodel.store.snapshot import ModelAbsent, Snapshot
from readmodel.store.store import Store
from readmodel.views import orders, products
from readmodel.views.batches import batch_key
from tests.support.golden import golden

EVENTS = golden("events.json")
LOG = "the log"
KEY = orders.order_key("o1")


@pytest.fixture
def live(store: Store) -> str:
    return generation(store, Generations(), "g1")


def generation(store: Store, before: Generations, name: str, live: bool = True) -> str:
    opened(store, name)
    after = Generations(name, before.live) if live else Generations(before.live, name)
    assert generations.swap(store.redis, before, after)
    return name


def opened(store: Store, name: str) -> None:
    generations.begin_filling(store.redis, name, LOG)
    generations.open_for_writers(store.redis, name)


def line(version: int, state: str = "s") -> Register:
    return Register(KEY, "S", version, encode(version, {"state": state}))


def stored(store: Store, name: str = "g1", key: str = KEY) -> dict[str, str]:
    return dict(store.redis.hgetall(f"{name}:{key}"))  # type: ignore[arg-type]


def test_a_register_is_set_if_newer(store: Store, live: str) -> None:
    store.apply([line(9, "old")])
    store.apply([line(10, "new")])
    store.apply([line(9, "late")])
    store.apply([line(10, "again")])
    assert stored(store) == {"S": '10 {"state":"new"}'}


def test_the_same_event_five_times_at_once_has_one_effect(store: Store, live: str) -> None:
    barrier = threading.Barrier(5)

    def apply(_: int) -> None:
        barrier.wait()
        store.apply(PROJECTION.fold(EVENTS))

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(apply, range(5)))
    expected = Store(store.redis).read(lambda snapshot: products.product(snapshot, "RED-CHAIR"))
    assert expected is not None
    assert (expected["available"], expected["version"]) == (19, 15)


def test_events_one_by_one_backwards_leave_what_they_leave_at_once(store: Store, live: str) -> None:
    for event in reversed(EVENTS):
        store.apply(PROJECTION.fold([event]))
    backwards = {key: stored(store, "g1", key) for key in view_keys(store.redis)}
    store.redis.flushdb()
    generation(store, Generations(), "g1")
    store.apply(PROJECTION.fold(EVENTS))
    assert {key: stored(store, "g1", key) for key in view_keys(store.redis)} == backwards


def view_keys(redis: Redis) -> list[str]:
    return [key.removeprefix("g1:") for key in redis.scan_iter("g1:*", _type="hash")]


def test_a_used_up_batch_moves_aside_and_back_with_its_version(store: Store, live: str) -> None:
    with_room, without = products.product_key("S"), products.used_up_key("S")
    store.apply([Register(with_room, "batch:b", 1, encode(1, {"n": 1}), former_key=without)])
    store.apply([Register(without, "batch:b", 2, encode(2, {"n": 2}), former_key=with_room)])
    assert (stored(store, key=with_room), stored(store, key=without)) == ({}, {"batch:b": '2 {"n":2}'})
    store.apply([Register(with_room, "batch:b", 1, encode(1, {"n": 1}), former_key=without)])
    assert stored(store, key=with_room) == {}, "an older state must not come back from aside"
    store.apply([Register(with_room, "batch:b", 3, encode(3, {"n": 3}), former_key=without)])
    assert (stored(store, key=with_room), stored(store, key=without)) == ({"batch:b": '3 {"n":3}'}, {})


def test_cursors_move_with_the_registers(store: Store, live: str) -> None:
    assert store.advance("g1", [line(1)], expected=0, position=7)
    assert store.cursor("g1", LOG) == 7
    assert store.advance("g1", [], expected=7, position=9)
    assert (store.cursor("g1", LOG), stored(store)) == (9, {"S": '1 {"state":"s"}'})


def test_a_cursor_never_goes_back(store: Store, live: str) -> None:
    store.advance("g1", [], expected=0, position=9)
    assert store.advance("g1", [line(1)], expected=0, position=7), "another relay was ahead: no harm"
    assert store.cursor("g1", LOG) == 9


def test_a_cursor_that_fell_back_is_not_pushed_over_the_gap(store: Store, live: str) -> None:
    """As after a failover that lost the last writes: what came in between must be applied again."""
    store.advance("g1", [], expected=0, position=9)
    store.redis.set(f"g1:{keys.cursor(keys.bucket_of(KEY))}", 3)
    assert not store.advance("g1", [line(1)], expected=9, position=12)
    assert (store.cursor("g1", LOG), stored(store)) == (3, {})


def test_nothing_is_written_to_a_bucket_that_is_not_there(store: Store, live: str) -> None:
    store.redis.flushdb()
    assert not store.advance("g1", [line(1)], expected=0, position=7)
    with pytest.raises(ModelAbsent):
        store.apply([line(1)])
    assert store.redis.keys("*") == []
    assert store.cursor("g1", LOG) is None


def test_an_empty_redis_is_no_model_rather_than_an_empty_one(store: Store) -> None:
    # W26
    with pytest.raises(ModelAbsent):
        store.read(lambda snapshot: orders.order(snapshot, "o1"))


def test_a_generation_that_is_being_built_is_not_read(store: Store) -> None:
    generation(store, Generations(), "g1", live=False)
    with pytest.raises(ModelAbsent):
        store.read(lambda snapshot: orders.order(snapshot, "o1"))


def test_a_reader_waits_for_a_batch_that_is_written_after_its_line(store: Store, live: str) -> None:
    """Each bucket is written by itself, and who writes them may be held up in between, for longer than a moment."""
    state = {"qty": 1, "status": "allocated", "batchref": "b1"}
    store.apply([Register(KEY, "S", 1, encode(1, state))])
    attempts = []

    def read(snapshot: Snapshot) -> Any:
        attempts.append(snapshot)
        if len(attempts) == 12:
            store.apply([Register(batch_key("b1"), "state", 1, encode(1, {"eta": "2011-01-02"}))])
        return orders.order(snapshot, "o1")

    assert store.read(read)["lines"] == [{"sku": "S", **state, "version": 1, "eta": "2011-01-02"}]
    assert len(attempts) == 12


def test_writers_write_every_generation_that_is_announced(store: Store, live: str) -> None:
    store.apply([line(1)])
    generation(Store(store.redis), Generations("g1"), "g2", live=False)
    store.apply([line(2)])
    assert stored(store, "g1") == stored(store, "g2") == {"S": '2 {"state":"s"}'}


def test_a_generation_announced_during_a_write_is_written_before_the_answer(store: Store, live: str) -> None:
    """The announcement falls between the choice of what is written and the look at what should have been."""
    store.generations()
    other = Store(store.redis)

    class Announcing(ThreadConnection):
        def send(self, commands: Sequence[Command]) -> list[Any]:
            if not announced:
                announced.append(generation(other, Generations("g1"), "g2", live=False))
            return super().send(commands)

    announced: list[str] = []
    slow = Store(store.redis)
    slow._connection = Announcing(store.redis)
    slow._seen = Generations("g1")
    slow.apply([line(1)])
    assert announced
    assert stored(store, "g2") == {"S": '1 {"state":"s"}'}


def test_readers_follow_a_switch(store: Store, live: str) -> None:
    store.apply(PROJECTION.fold(EVENTS))
    reader = Store(store.redis)
    before = reader.read(lambda snapshot: orders.allocations(snapshot, "order-1"))
    switcher = Store(store.redis)
    generation(switcher, Generations("g1"), "g2")
    switcher.apply(PROJECTION.fold(EVENTS))
    assert generations.swap(store.redis, Generations("g2", "g1"), Generations("g2"))
    generations.drop_all_but(store.redis, "g2")
    assert reader.read(lambda snapshot: orders.allocations(snapshot, "order-1")) == before != []


def test_a_reader_never_mixes_generations(store: Store, live: str) -> None:
    """The switch falls between the two trips of one query."""
    store.apply(PROJECTION.fold(EVENTS))
    trips: list[str] = []

    def read(snapshot: Snapshot) -> str:
        snapshot.hashes(KEY)
        if not trips:
            generation(Store(store.redis), Generations("g1"), "g2")
        trips.append(snapshot._generation)
        snapshot.hashes(KEY)
        return snapshot._generation

    assert store.read(read) == "g2"
    assert trips == ["g1", "g2"]


def test_dropping_spares_the_live_generation_and_whatever_is_not_ours(store: Store, live: str) -> None:
    for name in ("g2", "g11"):
        generations.begin_filling(store.redis, name, LOG)
        assert generations.write_page(
            ThreadConnection(store.redis), generations.pack_page(name, PROJECTION.fold(EVENTS), 7), 0
        )
        generations.open_for_writers(store.redis, name)
    store.redis.set("game:{17}:order:1", "not ours")
    store.apply([line(1)])
    generations.drop_all_but(store.redis, "g1")
    left = {key.partition(":")[0] for key in store.redis.scan_iter("*")}
    assert left == {"g1", "game", "allocation"}
    assert stored(store) == {"S": '1 {"state":"s"}'}


def test_a_swap_needs_what_it_expects(store: Store, live: str) -> None:
    assert not generations.swap(store.redis, Generations("g7"), Generations("g8"))
    store.redis.flushdb()
    assert not generations.swap(store.redis, Generations("g1"), Generations("g2"))
    assert store.generations() == Generations()


def test_a_line_whose_batch_is_not_there_yet_is_read_again(store: Store, live: str) -> None:
    """Its bucket was written, the batch's was not: that no ETA is known does not mean that it is in the warehouse."""
    registers = list(PROJECTION.fold(EVENTS))
    lines = [register for register in registers if ":order:" in register.key]
    rest = [register for register in registers if ":order:" not in register.key]
    store.apply(lines)
    with pytest.raises(ModelAbsent):
        store.read(lambda snapshot: orders.order(snapshot, "order-2"))
    store.apply(rest)
    order = store.read(lambda snapshot: orders.order(snapshot, "order-2"))
    assert order is not None
    assert order["lines"][0]["eta"] == "2027-04-01"


def test_what_another_thread_remembers_does_not_make_a_write_incomplete(store: Store, live: str) -> None:
    """A slower thread puts back what it saw before the announcement, again and again."""

    class Overwritten(Store):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, Generations("g1") if name == "_seen" else value)

    generation(store, Generations("g1"), "g2", live=False)
    Overwritten(store.redis).apply([line(1)])
    assert stored(store, "g2") == {"S": '1 {"state":"s"}'}


@pytest.mark.parametrize("lost", ["cursor", "everything"])
def test_a_lost_bucket_is_no_answer_rather_than_an_empty_one(store: Store, live: str, lost: str) -> None:
    """As after the failover of one node of a cluster."""
    store.apply(PROJECTION.fold(EVENTS))
    bucket = keys.bucket_of(orders.order_key("order-1"))
    pattern = f"g1:{bucket}:{'cursor' if lost == 'cursor' else '*'}"
    store.redis.delete(*store.redis.scan_iter(pattern), f"g1:{orders.order_key('order-1')}")
    with pytest.raises(ModelAbsent):
        store.read(lambda snapshot: orders.order(snapshot, "order-1"))


def test_a_model_of_another_log_has_no_cursor_in_this_one(store: Store, live: str) -> None:
    assert store.cursor("g1", LOG) == 0
    assert store.cursor("g1", "another log") is None
