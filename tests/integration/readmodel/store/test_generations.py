"""Generations are switched and dropped."""

import threading

from allocation.event_handlers import PROJECTION
from readmodel.store import generations, keys
from readmodel.store.connection import ThreadConnection
from readmodel.store.formats import format_of
from readmodel.store.functions import apply_command
from readmodel.store.generations import Generations
from readmodel.store.registers import Register
from readmodel.store.store import Store
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.readmodel.generations import EVENTS, KEY, LOG, always, line, open_generation, stored


def test_dropping_keeps_the_live_generation_and_foreign_keys(store: Store, live: str) -> None:
    for name in ("g2", "g11", "g12.2.100"):
        generations.begin_filling(store.redis, store.names, name, LOG, 1)
        page = generations.pack_page(name, PROJECTION.fold(EVENTS, format_of(name)), 7, generations.Listed())
        assert generations.write_page(ThreadConnection(store.redis), page, 0)
        generations.open_for_writers(store.redis, name, "")
    store.redis.set("game:{17}:order:1", "a key of another program")
    store.redis.set("g2:g5:{17}:order:1", "a key of the service with the prefix g2")
    store.apply(always(line(1)), LOG)
    generations.drop_all_but(store.redis, store.names, "g1")
    left = {key.partition(":{")[0] for key in store.redis.scan_iter("*:{*")}
    assert left == {"g1", "game", "g2:g5"}
    assert stored(store) == {"S": '1 {"state":"s"}'}


def test_a_swap_fails_when_the_generations_have_changed(store: Store, live: str) -> None:
    assert not generations.swap(store.redis, store.names, Generations("g7"), Generations("g8"))
    store.redis.flushdb()
    assert not generations.swap(store.redis, store.names, Generations("g1"), Generations("g2"))
    assert store.generations() == Generations()


class LateWriter:
    """Writes new orders to a generation, as long as it accepts them. `written` counts the calls."""

    def __init__(self, store: Store, generation: str) -> None:
        self._store = store
        self._generation = generation
        self.written = 0

    def __call__(self, done: threading.Event) -> None:
        connection, bucket = ThreadConnection(self._store.redis), keys.bucket_of(KEY)
        while not done.is_set():
            self.written += 1
            register = Register(f"{bucket}:order:late{self.written}", "S", 1, b"1 [1,0]")
            connection.send([apply_command(self._store.names, self._generation, bucket, [register], LOG)])


def test_dropping_leaves_nothing_behind_late_writers(store: Store, live: str) -> None:
    """A process of an older release can't read the new generation's name, and still writes the former generation."""
    for number in range(10):
        former = f"g{number + 2}"
        open_generation(store, former)
        writer = LateWriter(store, former)
        with in_threads(writer):
            eventually(lambda: writer.written > 20)  # noqa: B023
            generations.drop_all_but(store.redis, store.names, live)
        assert list(store.redis.scan_iter(f"{former}:*")) == []
