"""The state of the views, from Redis alone."""

import pytest
from redis import Redis

from readmodel.store import generations, keys
from readmodel.store.names import PLAIN
from readmodel.store.records.drift import Drift
from readmodel.store.status import sizes
from readmodel.store.status.generations import LIVE, OTHER, UNUSED, read_generations
from readmodel.store.status.sizes import read_sizes
from readmodel.store.status.views import read_status
from readmodel.store.store import Store
from tests.support.adapters.redis_users import QUERIES, SERVICE, url_for
from tests.support.readmodel.generations import LOG, always, announce_generation, line, open_generation

CHANNELS = {"relay": PLAIN.committed}


def test_generations_have_a_use_and_a_position(store: Store, live: str) -> None:
    announce_generation(store, generations.Generations(live), "g2.2", live=False)
    open_generation(store, "g3.2.100")
    generations.begin_filling(store.redis, store.names, "g4", LOG, 2)
    found = read_generations(store, read_sizes(store.redis, store.names, store.redis.dbsize()))
    assert [(one.name, one.use, one.position, one.epoch) for one in found] == [
        ("g1", LIVE, 0, 1),
        ("g2.2", OTHER, 0, 1),
        ("g3.2.100", UNUSED, 0, 1),
        ("g4", UNUSED, 0, 2),
    ]
    assert {one.identities for one in found} == {(LOG,)}
    assert all(one.age is not None and 0 <= one.age < 3_600 for one in found)


def test_damaged_generation_has_no_position(store: Store, live: str) -> None:
    store.redis.set(f"{live}:{keys.cursor(keys.BUCKETS[3])}", "many")
    store.redis.delete(f"{live}:{keys.history(keys.BUCKETS[4])}")
    store.redis.set(f"{live}:{keys.history(keys.BUCKETS[4])}", "no hash")
    store.redis.hset(f"{live}:{keys.history(keys.BUCKETS[5])}", "begun", "long ago")
    [found] = read_generations(store, {})
    assert (found.position, found.identities, found.size) == (None, (LOG,), None)


def test_damaged_names_of_generations_hide_no_generation(store: Store, live: str) -> None:
    store.redis.set(store.names.generations, "nonsense")
    [found] = read_status(store, CHANNELS, writes=True).generations
    assert (found.name, found.use, found.position) == (live, UNUSED, 0)


def test_small_generation_has_an_exact_size(store: Store, live: str) -> None:
    store.redis.set("game:{17}:order:1", "a key of another program")
    store.apply(always(line(1)), LOG)
    size = read_sizes(store.redis, store.names, store.redis.dbsize())[live]
    assert (size.keys, size.exact) == (2 * len(keys.BUCKETS) + 1, True)
    measured = sum(store.redis.memory_usage(key) or 0 for key in store.redis.scan_iter(f"{live}:*"))
    assert size.bytes == measured


def test_large_generation_has_an_estimated_size(store: Store, live: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "SCANNED", 400)
    monkeypatch.setattr(sizes, "SCANNED_AT_ONCE", 200)
    store.redis.mset({f"{live}:{{07}}:order:{number}": "x" * 100 for number in range(2_000)})
    size = read_sizes(store.redis, store.names, store.redis.dbsize())[live]
    assert not size.exact
    assert 1_600 < size.keys < 2_500
    assert 100 * size.keys < size.bytes < 300 * size.keys


def test_user_of_the_service_may_read_everything(redis_url: str, store: Store, live: str) -> None:
    with Redis.from_url(url_for(SERVICE, redis_url), decode_responses=True) as redis:
        found = read_status(Store(redis), CHANNELS, writes=True)
    [generation] = found.generations
    assert generation.size is not None
    assert found.refusal is None
    assert found.roles["relay"].listening == 0


def test_user_of_queries_may_read_a_part(redis_url: str, store: Store, live: str) -> None:
    with Redis.from_url(url_for(QUERIES, redis_url), decode_responses=True) as redis:
        found = read_status(Store(redis), CHANNELS, writes=False)
    [generation] = found.generations
    assert (generation.name, generation.position, generation.size) == (live, 0, None)
    assert found.roles["relay"].listening is None
    assert found.server.keys > 0


def test_missing_and_damaged_records_are_unknown(store: Store, redis: Redis) -> None:
    empty = read_status(store, CHANNELS, writes=True)
    assert (empty.generations, empty.live, empty.confirmed, empty.drift) == ((), None, None, Drift(0, None))
    assert empty.absent == "the read model does not exist"
    for name in (PLAIN.drift, PLAIN.drifted_at, PLAIN.alive("relay")):
        redis.rpush(name, "x")
    redis.set(PLAIN.heartbeat, "nonsense")
    damaged = read_status(store, CHANNELS, writes=True)
    assert (damaged.confirmed, damaged.drift, damaged.roles["relay"].signs) == (None, Drift(0, None), {})
