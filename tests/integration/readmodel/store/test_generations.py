"""Generations are switched and dropped."""

from allocation.event_handlers import PROJECTION
from readmodel.store import generations
from readmodel.store.connection import ThreadConnection
from readmodel.store.formats import format_of
from readmodel.store.generations import Generations
from readmodel.store.store import Store
from tests.support.readmodel.generations import EVENTS, LOG, always, line, stored


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
