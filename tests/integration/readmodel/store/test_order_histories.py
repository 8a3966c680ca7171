"""The Redis Function keeps only the latest events of an order."""

from readmodel.store.generations import Generations
from readmodel.store.lists import Entry
from readmodel.store.store import Store
from tests.support.readmodel.generations import LOG, always, announce_generation

KEY = "{07}:list:order-history:o1"
ENTRIES = [Entry(KEY, b"m%d\0S\0a%d\0[]" % (number, number)) for number in range(1, 7)]


def history(store: Store, live: str) -> list[bytes]:
    return [str(entry).encode() for entry in store.redis.zrange(f"{live}:{KEY}", 0, -1)]


def test_a_replay_restores_no_trimmed_event(store: Store) -> None:
    live = announce_generation(store, Generations(), "g1.2.3")
    store.apply(always(*ENTRIES), LOG)
    latest = [entry.member for entry in ENTRIES[-3:]]
    assert history(store, live) == latest
    for entry in ENTRIES:
        store.apply(always(entry), LOG)
        assert history(store, live) == latest


def test_an_event_that_arrives_late_has_its_place(store: Store) -> None:
    live = announce_generation(store, Generations(), "g1.2.3")
    for entry in (ENTRIES[5], ENTRIES[1], ENTRIES[3], ENTRIES[4]):
        store.apply(always(entry), LOG)
    assert history(store, live) == [ENTRIES[number].member for number in (3, 4, 5)]
