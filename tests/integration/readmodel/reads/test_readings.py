"""Readings complete on the event loop. After a large reply, a thread goes on, so that no other request waits."""

import asyncio
import threading
from typing import Any

import pytest

from readmodel.store import keys
from readmodel.store.client import async_redis_client
from readmodel.store.errors import ModelDamaged
from readmodel.store.names import PLAIN
from readmodel.store.reads.reading import Reading, Wanted
from readmodel.store.reads.shared_connection import SharedConnection
from readmodel.store.store import Store
from readmodel.web import readings
from readmodel.web.answers import Problem
from readmodel.web.edge import bulkheads
from readmodel.web.edge.bulkheads import Bulkhead
from readmodel.web.readings import PARSED_AT_ONCE, Readings
from tests.support.patience import PATIENCE


async def complete(redis_url: str, *all_of_them: Reading[Any]) -> list[Any]:
    connection = SharedConnection(async_redis_client(redis_url, timeout=PATIENCE), PLAIN, PATIENCE)
    found = Readings(connection, Bulkhead("queries", 2))
    try:
        return await asyncio.gather(*map(found.complete, all_of_them), return_exceptions=True)
    finally:
        await connection.close()


def read_hash(key: str) -> Reading[tuple[int, bool, bool]]:
    """Return the number of fields, and whether the event loop went on after the hash, and after the next trip."""
    [found] = (yield Wanted([("HGETALL", key)])).replies
    after_hash = is_on_loop()
    yield Wanted([("GET", "other")], delay=0.01)
    return len(found), after_hash, is_on_loop()


def is_on_loop() -> bool:
    return threading.current_thread() is threading.main_thread()


@pytest.mark.parametrize(
    ("fields", "on_the_loop"), [(PARSED_AT_ONCE, True), (PARSED_AT_ONCE + 1, False)], ids=["small", "large"]
)
def test_a_thread_continues_after_a_large_reply(fields: int, on_the_loop: bool, store: Store, redis_url: str) -> None:
    store.redis.hset("hash", mapping={str(number): "x" for number in range(fields)})
    assert asyncio.run(complete(redis_url, read_hash("hash"))) == [(fields, on_the_loop, True)]


def read_damaged(key: str) -> Reading[str]:
    try:
        yield Wanted([("HGETALL", key)])
    except ModelDamaged:
        trip = yield Wanted([("GET", key)], delay=0.01)
        return str(trip.replies[0])
    return "not damaged"


def test_a_reading_may_go_on_after_an_error(store: Store, redis_url: str) -> None:
    store.redis.set("text", "x")
    assert asyncio.run(complete(redis_url, read_damaged("text"))) == ["x"]


def test_the_error_of_a_reading_reaches_its_caller(store: Store, redis_url: str) -> None:
    store.redis.set("text", "x")
    damaged, fine = asyncio.run(complete(redis_url, read_hash("text"), read_hash("none")))
    assert isinstance(damaged, ModelDamaged)
    assert fine == (0, True, True)


def test_too_many_readings_are_refused(store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "MOST_READINGS", 2)
    monkeypatch.setattr(bulkheads, "LONGEST_WAIT", 0.01)
    store.redis.client_pause(200)
    found = asyncio.run(complete(redis_url, *(read_hash(keys.BUCKETS[0]) for _ in range(5))))
    assert [type(one) for one in found] == [tuple, tuple, Problem, Problem, Problem]
    assert found[4].answer.status == 503
