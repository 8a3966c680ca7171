"""Readers remember ETAs; whoever has seen that one was changed never reads the former one again, from any process."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from redis.exceptions import ConnectionError as NoConnection

from allocation.adapters.postgres.event_log import EventLog
from allocation.domain.commands import Allocate, ChangeBatchEta, CreateBatch
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import rebuild
from readmodel.store import keys
from readmodel.store import reader_cache as remembered
from readmodel.store.connection import Command, ThreadConnection
from readmodel.store.store import Store
from readmodel.views import orders
from tests.support.counting import Counting

FIRST = date(2027, 1, 1)


class Reader:
    """Another process, as far as what it remembers is concerned."""

    def __init__(self, store: Store) -> None:
        self._store = Store(store.redis)
        self._store._connection = self._connection = Counting(store.redis)

    def eta(self, orderid: str = "o1") -> str | None:
        found = self._store.read(lambda snapshot: orders.order(snapshot, orderid))
        assert found is not None
        return str(found["lines"][0]["eta"])

    def trips(self) -> int:
        before = self._connection.trips
        self.eta()
        return self._connection.trips - before


@pytest.fixture
def reader(projecting_bus: MessageBus, model: Store) -> Reader:
    """Of an order on a batch with an ETA, which it remembers."""
    list(projecting_bus.handle_all([CreateBatch("b1", "S", 100, FIRST), Allocate("o1", "S", 1)]))
    reader = Reader(model)
    assert reader.eta() == str(FIRST)
    return reader


def test_an_order_of_remembered_batches_is_one_trip(reader: Reader, model: Store) -> None:
    assert Reader(model).trips() == 2, "the order and its batch"
    assert reader.trips() == 1


def test_an_eta_that_was_changed_is_read_at_once(reader: Reader, projecting_bus: MessageBus) -> None:
    projecting_bus.handle(ChangeBatchEta("b1", date(2028, 2, 2)))
    assert reader.trips() == 2
    assert reader.eta() == "2028-02-02"


def test_what_does_not_change_an_eta_makes_nobody_forget(reader: Reader, projecting_bus: MessageBus) -> None:
    projecting_bus.handle(Allocate("o2", "S", 1))
    projecting_bus.handle(CreateBatch("b2", "S", 1))
    assert reader.trips() == 1


def test_a_change_that_the_fast_path_could_not_show_is_shown_by_the_relay(
    reader: Reader, bus: MessageBus, model: Store, log: EventLog
) -> None:
    bus.handle(ChangeBatchEta("b1", date(2028, 2, 2)))
    bus.handle(Allocate("o2", "S", 1))  # Of the batch, the page tells this last.
    assert reader.eta() == str(FIRST)
    assert follow(model, log, PROJECTION)
    assert reader.eta() == "2028-02-02"


@pytest.mark.parametrize("trips", range(4))
def test_a_relay_that_dies_between_any_two_trips_leaves_the_rest_to_the_next(
    trips: int, reader: Reader, bus: MessageBus, model: Store, log: EventLog
) -> None:
    class Dying(ThreadConnection):
        left = trips

        def send(self, commands: Sequence[Command]) -> list[Any]:
            if any(command[0] != "GET" for command in commands):
                if not self.left:
                    raise NoConnection
                self.left -= 1
            return super().send(commands)

    bus.handle(ChangeBatchEta("b1", date(2028, 2, 2)))
    dying = Store(model.redis)
    dying._connection = Dying(model.redis)
    if trips < 3:
        with pytest.raises(NoConnection):
            follow(dying, log, PROJECTION)
        reader.eta()  # It may remember what it finds now.
    assert follow(model, log, PROJECTION)
    assert reader.eta() == "2028-02-02"


def test_many_changes_and_many_readers(reader: Reader, projecting_bus: MessageBus, model: Store) -> None:
    done, hits = threading.Event(), list[int]()

    def read() -> None:
        other = Reader(model)
        while not done.is_set():
            hits.append(other.trips() == 1)

    with ThreadPoolExecutor(3) as pool:
        reading = [pool.submit(read) for _ in range(3)]
        for number in range(1, 150):
            changed = FIRST + timedelta(days=number)
            projecting_bus.handle(ChangeBatchEta("b1", changed))
            assert reader.eta() == str(changed)
        done.set()
        for future in reading:
            future.result()
    assert 0 < sum(hits) < len(hits), "some readers remembered, and some had to look again"


def test_after_a_flush_nothing_is_remembered_though_the_generation_has_the_same_name(
    reader: Reader, bus: MessageBus, model: Store, log: EventLog
) -> None:
    before = model.generations()
    bus.handle(ChangeBatchEta("b1", date(2028, 2, 2)))
    model.redis.flushdb()
    while model.generations() != before:
        rebuild(model, log, PROJECTION)
    assert reader.eta() == "2028-02-02"


def test_where_the_token_is_gone_nothing_is_remembered(reader: Reader, model: Store) -> None:
    model.redis.delete(keys.CACHE_TOKEN)
    assert [reader.trips(), reader.trips()] == [2, 2]


def test_what_is_remembered_is_bounded(
    reader: Reader, projecting_bus: MessageBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "MOST", 5)
    list(projecting_bus.handle_all(CreateBatch(f"t{n}", f"T{n}", 1) for n in range(20)))
    list(projecting_bus.handle_all(Allocate(f"p{n}", f"T{n}", 1) for n in range(20)))
    for number in range(20):
        assert reader.eta(f"p{number}") == "None"
        assert len(reader._store._cache._entry.values) <= 6


def test_who_sends_a_change_again_that_nobody_has_shown_sees_it(
    reader: Reader, bus: MessageBus, projecting_bus: MessageBus
) -> None:
    """Its process died; then another command told of the batch; the repetition hands on the latest event."""
    change = ChangeBatchEta("b1", date(2028, 2, 2))
    bus.handle(change)
    projecting_bus.handle(Allocate("o2", "S", 1))
    assert reader.eta() == reader.eta("o2") == "2028-02-02"
    projecting_bus.handle(change)
    assert reader.eta() == "2028-02-02"


def test_a_relay_that_starts_has_readers_look_again(reader: Reader, model: Store) -> None:
    """An older process, which knows of no token, may have changed an ETA."""
    model.install(PROJECTION.cached_members)
    assert reader.trips() == 2
