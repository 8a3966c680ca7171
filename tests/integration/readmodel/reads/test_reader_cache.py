"""Readers cache ETAs. After a command has changed an ETA, no process returns the former one again."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from redis.exceptions import ConnectionError as ConnectionLost

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate, ChangeBatchEta, CreateBatch
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import rebuild
from readmodel.store.connection import RedisCommand, ThreadConnection
from readmodel.store.names import PLAIN
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.store import Store
from readmodel.views import orders
from tests.support.readmodel.counting import Counting
from tests.support.readmodel.stores import ConnectedStore

FIRST = date(2027, 1, 1)


class Reader:
    """Reads orders with a cache of its own, as another process does."""

    def __init__(self, store: Store) -> None:
        self._connection = Counting(store.redis)
        self._store = ConnectedStore(store.redis, self._connection)

    def eta(self, orderid: str = "o1") -> str | None:
        order = self._store.read(lambda snapshot: orders.order(snapshot, orderid)).value
        assert order is not None
        return str(order["lines"][0]["eta"])

    def trips(self) -> int:
        before = self._connection.trips
        self.eta()
        return self._connection.trips - before

    def count_cached(self, orderid: str) -> int:
        """Return the number of cached ETAs after a query of the order."""

        def read(snapshot: Snapshot) -> Reading[int]:
            _, cached = yield from snapshot.hashes_and_cache(orders.order_key(orderid))
            assert (yield from orders.order(snapshot, orderid)) is not None
            return len(cached)

        return self._store.read(read).value


@pytest.fixture
def reader(projecting_bus: MessageBus, model: Store) -> Reader:
    """A reader that has cached the ETA of the order's batch."""
    list(projecting_bus.handle_all([CreateBatch("b1", "S", 100, FIRST), Allocate("o1", "S", 1)]))
    reader = Reader(model)
    assert reader.eta() == str(FIRST)
    return reader


def test_an_order_of_cached_batches_takes_one_trip(reader: Reader, model: Store) -> None:
    assert Reader(model).trips() == 3, "a new reader reads the generations, the order and its batch"
    assert reader.trips() == 1


def test_a_reader_sees_a_changed_eta_in_its_next_query(reader: Reader, projecting_bus: MessageBus) -> None:
    projecting_bus.handle(ChangeBatchEta("b1", date(2028, 2, 2)))
    assert reader.trips() == 2
    assert reader.eta() == "2028-02-02"


def test_other_commands_do_not_invalidate_the_cache(reader: Reader, projecting_bus: MessageBus) -> None:
    projecting_bus.handle(Allocate("o2", "S", 1))
    projecting_bus.handle(CreateBatch("b2", "S", 1))
    assert reader.trips() == 1


def test_the_relay_shows_a_change_that_the_fast_path_missed(
    reader: Reader, bus: MessageBus, model: Store, log: EventLog
) -> None:
    bus.handle(ChangeBatchEta("b1", date(2028, 2, 2)))
    bus.handle(Allocate("o2", "S", 1))  # Its state of the batch is the last one that the fold keeps.
    assert reader.eta() == str(FIRST)
    assert follow(model, log, PROJECTION)
    assert reader.eta() == "2028-02-02"


@pytest.mark.parametrize("trips", range(4))
def test_the_next_relay_finishes_the_work_of_a_dead_one(
    trips: int, reader: Reader, bus: MessageBus, model: Store, log: EventLog
) -> None:
    class Dying(ThreadConnection):
        left = trips

        def send(self, commands: Sequence[RedisCommand]) -> list[Any]:
            if any(command[0] != "GET" for command in commands):
                if not self.left:
                    raise ConnectionLost
                self.left -= 1
            return super().send(commands)

    bus.handle(ChangeBatchEta("b1", date(2028, 2, 2)))
    dying = ConnectedStore(model.redis, Dying(model.redis))
    if trips < 3:
        with pytest.raises(ConnectionLost):
            follow(dying, log, PROJECTION)
        reader.eta()  # The reader may cache an ETA between the two relays.
    assert follow(model, log, PROJECTION)
    assert reader.eta() == "2028-02-02"


def test_concurrent_readers_see_every_changed_eta(reader: Reader, projecting_bus: MessageBus, model: Store) -> None:
    done, hits = threading.Event(), list[int]()

    def read() -> None:
        other = Reader(model)
        while not done.is_set():
            hits.append(other.trips() == 1)

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        for number in range(1, 150):
            changed = FIRST + timedelta(days=number)
            projecting_bus.handle(ChangeBatchEta("b1", changed))
            assert reader.eta() == str(changed)
        done.set()
        for future in readers:
            future.result()
    assert 0 < sum(hits) < len(hits), "some queries must use the cache, and some must not"


def test_a_cache_does_not_outlive_a_flush(reader: Reader, bus: MessageBus, model: Store, log: EventLog) -> None:
    """After the flush, a generation has the same name as the one that the reader has cached."""
    before = model.generations()
    bus.handle(ChangeBatchEta("b1", date(2028, 2, 2)))
    model.redis.flushdb()
    while model.generations() != before:
        rebuild(model, log, PROJECTION)
    assert reader.eta() == "2028-02-02"


def test_readers_cache_nothing_without_a_token(reader: Reader, model: Store) -> None:
    model.redis.delete(PLAIN.cache_token)
    assert [reader.trips(), reader.trips()] == [2, 2]


def test_the_cache_is_bounded(reader: Reader, projecting_bus: MessageBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readmodel.store.reads.reader_cache.MOST_CACHED", 5)
    list(projecting_bus.handle_all(CreateBatch(f"t{n}", f"T{n}", 1) for n in range(20)))
    list(projecting_bus.handle_all(Allocate(f"p{n}", f"T{n}", 1) for n in range(20)))
    for number in range(20):
        assert reader.eta(f"p{number}") == "None"
        assert reader.count_cached(f"p{number}") <= 6


def test_a_client_that_repeats_a_change_sees_the_new_eta(
    reader: Reader, bus: MessageBus, projecting_bus: MessageBus
) -> None:
    """The first process dies before its fast path, and another command shows the batch.

    Then the repetition has no effect of its own. It publishes the batch's latest event again.
    """
    change = ChangeBatchEta("b1", date(2028, 2, 2))
    bus.handle(change)
    projecting_bus.handle(Allocate("o2", "S", 1))
    assert reader.eta() == reader.eta("o2") == "2028-02-02"
    projecting_bus.handle(change)
    assert reader.eta() == "2028-02-02"


def test_a_starting_relay_invalidates_the_caches(reader: Reader, model: Store) -> None:
    """An older version of the service may have changed an ETA without setting the token."""
    model.install(PROJECTION.cached_members)
    assert reader.trips() == 2
