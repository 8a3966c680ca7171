"""Readers get consistent answers from one generation, or ModelAbsent."""

from typing import Any

import pytest

from allocation.event_handlers import PROJECTION
from readmodel.store import generations, keys
from readmodel.store.errors import ModelAbsent
from readmodel.store.formats import FORMAT_1
from readmodel.store.functions import Step
from readmodel.store.generations import Generations
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.registers import Register, encode
from readmodel.store.store import Store
from readmodel.views import orders
from readmodel.views.batches import batch_key
from tests.support.patience import PATIENCE
from tests.support.readmodel.generations import EVENTS, KEY, LOG, always, announce_generation, fold_of, line


def test_an_empty_redis_is_a_missing_model(store: Store) -> None:
    """An empty answer would mean that the order is unknown."""
    with pytest.raises(ModelAbsent):
        store.read(lambda snapshot: orders.order(snapshot, "o1"))


@pytest.mark.parametrize("lost", ["cursor", "everything"])
def test_a_lost_bucket_is_a_missing_model(store: Store, live: str, lost: str) -> None:
    """A failover of one node of a cluster can lose a bucket."""
    store.apply(fold_of(EVENTS), LOG)
    bucket = keys.bucket_of(orders.order_key("order-1"))
    pattern = f"g1:{bucket}:{'cursor' if lost == 'cursor' else '*'}"
    store.redis.delete(*store.redis.scan_iter(pattern), f"g1:{orders.order_key('order-1')}")
    with pytest.raises(ModelAbsent):
        store.read(lambda snapshot: orders.order(snapshot, "order-1"))


def test_readers_ignore_a_generation_that_is_not_live(store: Store) -> None:
    announce_generation(store, Generations(), "g1", live=False)
    with pytest.raises(ModelAbsent):
        store.read(lambda snapshot: orders.order(snapshot, "o1"))


def test_a_reader_waits_for_the_batch_of_a_line(store: Store, live: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer updates each bucket separately. Between two buckets it may pause for longer than a few attempts."""
    monkeypatch.setattr("readmodel.store.reads.reader.READ_WITHIN", PATIENCE)
    state = {"qty": 1, "status": "allocated", "batchref": "b1"}
    batch = {"sku": "S", "qty": 1, "allocated": 1, "eta": "2011-01-02"}
    store.apply(always(Register(KEY, "S", 1, encode(1, state))), LOG)
    attempts = []

    def read(snapshot: Snapshot) -> Reading[Any]:
        attempts.append(snapshot)
        if len(attempts) == 12:
            store.apply(always(Register(batch_key("b1"), "state", 1, encode(1, batch))), LOG)
        return (yield from orders.order(snapshot, "o1"))

    assert store.read(read).value["lines"] == [{"sku": "S", **state, "version": 1, "eta": "2011-01-02"}]
    assert len(attempts) == 12


def test_a_line_without_its_batch_is_read_again(store: Store, live: str) -> None:
    """A missing ETA must not look like warehouse stock."""
    registers = list(PROJECTION.fold(EVENTS, FORMAT_1))
    lines = [register for register in registers if ":order:" in register.key]
    others = [register for register in registers if ":order:" not in register.key]
    store.apply(always(*lines), LOG)
    with pytest.raises(ModelAbsent):
        store.read(lambda snapshot: orders.order(snapshot, "order-2"))
    store.apply(always(*others), LOG)
    order = store.read(lambda snapshot: orders.order(snapshot, "order-2")).value
    assert order is not None
    assert order["lines"][0]["eta"] == "2027-04-01"


def test_readers_follow_a_switch(store: Store, live: str) -> None:
    store.apply(fold_of(EVENTS), LOG)
    reader = Store(store.redis)
    before = reader.read(lambda snapshot: orders.allocations(snapshot, "order-1")).value
    switcher = Store(store.redis)
    announce_generation(switcher, Generations("g1"), "g2")
    switcher.apply(fold_of(EVENTS), LOG)
    assert generations.swap(store.redis, store.names, Generations("g2", "g1"), Generations("g2"))
    generations.drop_all_but(store.redis, store.names, "g2")
    assert reader.read(lambda snapshot: orders.allocations(snapshot, "order-1")).value == before != []


def test_a_reader_never_mixes_generations(store: Store, live: str) -> None:
    """The switch falls between the two trips of one query."""
    store.apply(always(line(1, "former")), LOG)
    first_trips: list[str] = []

    def read(snapshot: Snapshot) -> Reading[list[str]]:
        [first] = yield from snapshot.hashes(KEY)
        if not first_trips:
            announce_generation(Store(store.redis), Generations("g1"), "g2")
            assert Store(store.redis).advance("g2", [line(2, "new")], LOG, Step(0, 7, ""))
        first_trips.append(first["S"])
        [second] = yield from snapshot.hashes(KEY)
        return [first["S"], second["S"]]

    assert store.read(read).value == ['2 {"state":"new"}', '2 {"state":"new"}']
    assert first_trips == ['1 {"state":"former"}', '2 {"state":"new"}']
