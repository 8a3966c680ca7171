"""Readings of one event loop share a connection and its round trips, and each gets its own replies or its own error."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from redis import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import TimeoutError as TooSlow

from readmodel.store.client import async_redis_client
from readmodel.store.errors import ModelDamaged
from readmodel.store.names import PLAIN
from readmodel.store.reads import shared_connection
from readmodel.store.reads.shared_connection import SharedConnection
from tests.support.patience import PATIENCE

READINGS = 250


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, redis_url: str) -> Any:
    """Run an async function with a connection to Redis, and return its result. In production, it runs on uvloop."""

    def run(use: Callable[[SharedConnection], Awaitable[Any]], timeout: float = PATIENCE) -> Any:
        async def connect_and_use() -> Any:
            async with connected(redis_url, timeout) as connection:
                return await use(connection)

        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(connect_and_use())

    return run


@asynccontextmanager
async def connected(url: str, timeout: float) -> AsyncIterator[SharedConnection]:
    connection = SharedConnection(async_redis_client(url, timeout=timeout), PLAIN, timeout)
    yield connection
    await connection.close()


def trips(redis: Redis) -> int:
    """Return how often Redis has executed TIME: once for each trip of a reading."""
    return int(redis.info("commandstats").get("cmdstat_time", {"calls": 0})["calls"])


async def value_of(connection: SharedConnection, key: str) -> Any:
    trip = await connection.exchange([("GET", key)])
    [value] = trip.replies
    return value


def test_waiting_readings_share_trips(redis: Redis, run: Any) -> None:
    redis.mset({f"k{number}": number for number in range(READINGS)})
    before = trips(redis)

    async def read_all(connection: SharedConnection) -> Any:
        return await asyncio.gather(*(value_of(connection, f"k{number}") for number in range(READINGS)))

    assert run(read_all) == [str(number) for number in range(READINGS)]
    assert trips(redis) - before == -(-READINGS // shared_connection.COMMANDS_TOGETHER)


def test_a_large_reading_makes_a_trip_alone(redis: Redis, run: Any) -> None:
    before = trips(redis)

    async def read_all(connection: SharedConnection) -> Any:
        large = [("GET", f"k{number}") for number in range(2 * shared_connection.COMMANDS_TOGETHER)]
        found = await asyncio.gather(*(connection.exchange(commands) for commands in (large[:1], large, large[:2])))
        return [len(trip.replies) for trip in found]

    assert run(read_all) == [1, 2 * shared_connection.COMMANDS_TOGETHER, 2]
    assert trips(redis) - before == 3


def test_a_reading_that_comes_later_waits_for_the_next_trip(redis: Redis, run: Any) -> None:
    """The trip that has begun could lack what a client has just written."""
    redis.mset({"first": 1, "second": 2})
    before = trips(redis)

    async def read_both(connection: SharedConnection) -> list[str]:
        first = asyncio.create_task(value_of(connection, "first"))
        for _ in range(3):
            await asyncio.sleep(0)  # The first trip begins.
        return [await value_of(connection, "second"), await first]

    assert run(read_both) == ["2", "1"]
    assert trips(redis) - before == 2


def test_a_damaged_key_fails_only_its_own_reading(redis: Redis, run: Any) -> None:
    redis.rpush("list", "x")
    redis.set("text", "y")

    async def read_both(connection: SharedConnection) -> Any:
        return await asyncio.gather(value_of(connection, "list"), value_of(connection, "text"), return_exceptions=True)

    damaged, text = run(read_both)
    assert isinstance(damaged, ModelDamaged)
    assert text == "y"


def test_a_damaged_common_key_fails_every_reading(redis: Redis, run: Any) -> None:
    redis.rpush(PLAIN.heartbeat, "x")

    async def read(connection: SharedConnection) -> Any:
        return await asyncio.gather(*(value_of(connection, "k") for _ in range(3)), return_exceptions=True)

    assert [type(error) for error in run(read)] == [ModelDamaged] * 3


def test_a_closed_connection_is_replaced(redis: Redis, run: Any) -> None:
    """A restart of Redis closes it."""
    redis.set("k", "v")

    async def read_before_and_after(connection: SharedConnection) -> list[str]:
        trip = await connection.exchange([("CLIENT", "ID")])
        redis.client_kill_filter(_id=trip.replies[0])
        return [await value_of(connection, "k") for _ in range(2)]

    assert run(read_before_and_after) == ["v", "v"]


def test_every_waiting_reading_fails_if_redis_is_unreachable() -> None:
    async def read() -> list[Any]:
        async with connected("redis://127.0.0.1:1", PATIENCE) as connection:
            readings = [value_of(connection, "k") for _ in range(3)]
            first = await asyncio.gather(*readings, return_exceptions=True)
            return [*first, *await asyncio.gather(value_of(connection, "k"), return_exceptions=True)]

    assert [type(error) for error in asyncio.run(read())] == [ConnectionLost] * 4


def test_late_replies_reach_no_later_reading(redis: Redis, run: Any) -> None:
    """After a time-out, the replies of the former trip may still be on their way."""
    redis.mset({"former": "wrong", "later": "right"})

    async def read(connection: SharedConnection) -> str:
        await value_of(connection, "former")
        redis.client_pause(1_000)
        with pytest.raises(TooSlow):
            await value_of(connection, "former")
        redis.client_unpause()
        return str(await value_of(connection, "later"))

    assert run(read, timeout=0.5) == "right"


def test_a_cancelled_reading_disturbs_no_other(redis: Redis, run: Any) -> None:
    redis.mset({"k1": "1", "k2": "2"})

    async def cancel_one(connection: SharedConnection) -> list[Any]:
        await value_of(connection, "k1")
        cancelled = asyncio.create_task(value_of(connection, "k1"))
        other = asyncio.create_task(value_of(connection, "k2"))
        await asyncio.sleep(0)
        cancelled.cancel()
        found = await asyncio.gather(cancelled, other, return_exceptions=True)
        return [*found, await value_of(connection, "k1")]

    cancelled, *others = run(cancel_one)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert others == ["2", "1"]


def test_a_time_out_fails_the_readings_that_wait_behind_it(redis: Redis, run: Any) -> None:
    """Otherwise each trip would wait for another time-out."""

    async def read_many(connection: SharedConnection) -> list[type[Any]]:
        await value_of(connection, "k")
        redis.client_pause(1_000)
        found = await asyncio.gather(*(value_of(connection, "k") for _ in range(READINGS)), return_exceptions=True)
        redis.client_unpause()
        return [type(error) for error in found]

    before = trips(redis)
    assert run(read_many, timeout=0.5) == [TooSlow] * READINGS
    assert trips(redis) - before < 1 + READINGS / shared_connection.COMMANDS_TOGETHER


def test_an_unexpected_error_strands_no_reading(
    redis: Redis, run: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared_connection, "COMMANDS_TOGETHER", 1)
    monkeypatch.setattr(SharedConnection, "_read_reply", lambda self: 1 / 0)

    async def read_both(connection: SharedConnection) -> Any:
        readings = [value_of(connection, "k") for _ in range(2)]
        return [type(error) for error in await asyncio.gather(*readings, return_exceptions=True)]

    assert run(read_both) == [ZeroDivisionError] * 2
    assert caplog.messages == ["The queries of a trip failed because of a bug"] * 2
