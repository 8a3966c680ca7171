"""A bucket accepts only registers of the history that it shows, and readers see the relay's heartbeat."""

from collections.abc import Callable

import pytest
from redis import Redis

from readmodel.store import keys
from readmodel.store.errors import ModelAbsent, ModelOutdated
from readmodel.store.functions import Step
from readmodel.store.generations import Generations
from readmodel.store.names import PLAIN
from readmodel.store.store import Store
from tests.support.readmodel.generations import KEY, LOG, always, announce_generation, line, stored

MARK = "7 6 0123456789abcdef"


def replication_id(redis: Redis) -> str:
    return str(redis.info("replication")["master_replid"])


def redis_time(redis: Redis) -> int:
    seconds, microseconds = redis.time()
    return int(seconds) * 1_000 + int(microseconds) // 1_000


def set_bytes(redis: Redis) -> None:
    redis.set(PLAIN.heartbeat, b"\xff 5")


def read(store: Store) -> str | None:
    """Return the warning of a query."""
    return store.read(lambda snapshot: snapshot.hashes(KEY)).warning


def test_registers_of_another_history_are_refused(store: Store, live: str) -> None:
    """A worker was stopped between its commit and its views, while another server took over."""
    with pytest.raises(ModelAbsent):
        store.apply(always(line(9, "lost")), "the former log")
    assert not store.advance("g1", [line(9, "lost")], "the former log", Step(0, 7, MARK))
    store.apply(always(line(1)), LOG)
    assert (stored(store), store.cursor("g1", LOG)) == ({"S": '1 {"state":"s"}'}, 0)


def test_a_generation_without_a_history_accepts_registers(store: Store, live: str) -> None:
    """Its buckets have no history. The relay rebuilds it soon."""
    store.redis.delete(f"g1:{keys.history(keys.bucket_of(KEY))}")
    store.apply(always(line(1)), LOG)
    assert stored(store) == {"S": '1 {"state":"s"}'}
    assert store.progress("g1") is None


def test_each_bucket_holds_the_mark_of_its_cursor(store: Store, live: str) -> None:
    assert store.advance("g1", [], LOG, Step(0, 7, MARK))
    store.advance("g1", [], LOG, Step(0, 5, "5 5 0000000000000000"))
    progress = store.progress("g1")
    assert progress is not None
    assert set(progress.buckets) == {(7, LOG, 1, MARK)}
    assert progress.replication_id == replication_id(store.redis)
    assert abs(progress.moment - redis_time(store.redis)) < 60_000


def test_a_write_without_a_step_moves_no_cursor(store: Store, live: str) -> None:
    assert store.advance("g1", [line(3)], LOG, None)
    assert (stored(store), store.cursor("g1", LOG)) == ({"S": '3 {"state":"s"}'}, 0)


def test_readers_trust_a_fresh_heartbeat(store: Store, live: str) -> None:
    store.beat(replication_id(store.redis), redis_time(store.redis))
    assert read(store) is None


def test_readers_warn_of_an_old_heartbeat(store: Store, live: str) -> None:
    store.beat(replication_id(store.redis), redis_time(store.redis) - 90_000)
    warning = read(store) or ""
    assert warning.startswith("behind; seconds=")
    assert int(warning.partition("=")[2]) >= 90


def test_readers_warn_of_a_suspect_generation(store: Store, live: str) -> None:
    store.beat(replication_id(store.redis), redis_time(store.redis))
    store.suspect("g1")
    assert read(store) == "suspect"
    announce_generation(store, Generations("g1"), "g2")
    assert read(store) is None, "the switch ends the suspicion"


def test_readers_refuse_a_server_that_was_restarted(store: Store, live: str) -> None:
    """The heartbeat is that of the server before its restart."""
    store.beat("0" * 40, redis_time(store.redis))
    with pytest.raises(ModelOutdated):
        read(store)
    store.beat(replication_id(store.redis), redis_time(store.redis))
    assert read(store) is None


def test_a_heartbeat_of_another_type_costs_no_500(store: Store, live: str) -> None:
    store.redis.rpush(PLAIN.heartbeat, "x")
    with pytest.raises(ModelAbsent):
        read(store)
    store.beat(replication_id(store.redis), redis_time(store.redis))
    assert store.redis.type(PLAIN.heartbeat) == "string"


@pytest.mark.parametrize("spoil", [lambda redis: redis.rpush(PLAIN.heartbeat, "x"), set_bytes], ids=["list", "bytes"])
def test_a_damaged_heartbeat_is_replaced(spoil: Callable[[Redis], object], store: Store, live: str) -> None:
    spoil(store.redis)
    store.suspect("g1")
    assert str(store.redis.get(PLAIN.heartbeat)).endswith(" 0 g1")
