"""The totals of a product match its batches while a writer changes both."""

import threading
from random import Random

import pytest
from redis import Redis

from readmodel.store.errors import TornRead
from readmodel.store.generations import Generations
from readmodel.store.lists import PageRequest
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.registers import State
from readmodel.store.store import Store
from readmodel.views import products
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.readmodel.generations import LOG, announce_generation, fold_of
from tests.support.readmodel.large_products import batch, event
from tests.support.readmodel.stores import ConnectedStore, OneByOne

QTY, BATCHES, RACES = 10, 5, 50


class Writer:
    """Changes one batch after the other, and the totals with it. `rooms` has the room of each batch, by version."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.rooms: dict[int, dict[str, int]] = {0: {}}

    def write(self, done: threading.Event) -> None:
        store, random, version = Store(self._redis), Random(1), 0
        while not done.is_set():
            version += 1
            ref, allocated = f"b{random.randrange(BATCHES)}", random.choice((0, 3, QTY))
            self.rooms[version] = self.rooms[version - 1] | {ref: QTY - allocated}
            available = sum(self.rooms[version].values())
            changed = event("BatchQuantityChanged", "S", version, available, batches=[batch(ref, QTY, allocated)])
            store.apply(fold_of([changed]), LOG)


class Reader:
    """Reads the product, command by command. `torn` is the number of reads between whose commands a write happened."""

    def __init__(self, redis: Redis) -> None:
        self._store = ConnectedStore(redis, OneByOne(redis))
        self.torn = 0

    def read(self) -> State | None:
        return self._store.read(self._fetch).value

    def _fetch(self, snapshot: Snapshot) -> Reading[State | None]:
        try:
            return (yield from products.product(snapshot, "S", PageRequest(100)))
        except TornRead:
            self.torn += 1
            raise


@pytest.mark.slow
def test_totals_match_the_batches_while_a_writer_changes_them(
    store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readmodel.store.reads.reader.READ_WITHIN", PATIENCE)
    announce_generation(store, Generations(), "g1.2.100")
    writer, reader, versions = Writer(redis), Reader(redis), set[int]()
    with in_threads(writer.write):
        eventually(lambda: reader.read())
        while reader.torn < RACES or len(versions) < RACES:
            found = reader.read()
            assert found is not None
            rooms = {ref: room for ref, room in writer.rooms[found["version"]].items() if room}
            assert {one["ref"]: one["available"] for one in found["batches"]} == rooms
            assert found["available"] == sum(rooms.values())
            versions.add(found["version"])
