"""One connection to Redis for all readings on an event loop. Readings that wait at the same time share a round trip.

So each reading pays only for its own commands, and not for the system calls and for the common commands.
"""

import asyncio
import logging
from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as TooSlow

from readmodel.store.connection import PackedCommands, RedisCommand, damage_in, pack
from readmodel.store.names import Names
from readmodel.store.reads.reading import Trip, common_commands

logger = logging.getLogger(__name__)

COMMANDS_TOGETHER = 100
"""Commands of queries in a trip. With more, the replies could need more time than the time-out."""
STOPPED = "The event loop stops"


class Waiting(NamedTuple):
    """A reading that waits for the replies to its commands."""

    commands: PackedCommands
    trip: asyncio.Future[Trip]


class SharedConnection:
    """Only one event loop may use it. It connects at the first exchange, and again after each error.

    If Redis does not reply within `timeout` seconds, it raises an error for each waiting reading.
    """

    def __init__(self, redis: Redis, names: Names, timeout: float) -> None:
        self._connection = redis.connection_pool.make_connection()
        self._common = pack(common_commands(names))
        self._timeout = timeout
        self._waiting = list[Waiting]()
        self._is_serving = False

    async def exchange(self, commands: Sequence[RedisCommand]) -> Trip:
        """Return the replies. Raise RedisError, or ModelDamaged if a key has a value of the wrong type."""
        loop = asyncio.get_running_loop()
        reading = Waiting(pack(commands), loop.create_future())
        self._waiting.append(reading)
        if not self._is_serving:
            self._is_serving = True
            self._server = loop.create_task(self._serve())
        return await reading.trip

    async def close(self) -> None:
        await self._connection.disconnect()

    async def _serve(self) -> None:
        try:
            while self._waiting:
                await self._serve_group(self._take_group())
        finally:
            self._is_serving = False
            fail_all(self._take_waiting(), ConnectionLost(STOPPED))  # Nobody waits, unless this task was cancelled.

    async def _serve_group(self, group: Sequence[Waiting]) -> None:
        try:
            replies = await self._send_with_retry(group)
        except Exception as error:
            if not isinstance(error, RedisError):
                logger.exception("The queries of a trip failed because of a bug")
            if isinstance(error, TooSlow):
                group = [*group, *self._take_waiting()]  # Otherwise they could wait for longer than the time-out.
            fail_all(group, error)
            return
        except BaseException:
            fail_all(group, ConnectionLost(STOPPED))
            raise
        common = replies[-self._common.replies :]
        start = 0
        for reading in group:
            own = replies[start : start + reading.commands.replies]
            start += reading.commands.replies
            finish(reading.trip, own, common)

    def _take_group(self) -> list[Waiting]:
        """Take the readings of the next trip: at least one, and others up to COMMANDS_TOGETHER."""
        commands = size = 0
        for reading in self._waiting:
            commands += reading.commands.replies
            if size and commands > COMMANDS_TOGETHER:
                break
            size += 1
        group, self._waiting = self._waiting[:size], self._waiting[size:]
        return group

    def _take_waiting(self) -> list[Waiting]:
        waiting, self._waiting = self._waiting, []
        return waiting

    async def _send_with_retry(self, group: Sequence[Waiting]) -> list[Any]:
        """Return the replies to all commands, with errors among them. Retry once after a lost connection.

        For example, a restart of Redis ends the connection.
        """
        try:
            return await self._send(group)
        except ConnectionLost:
            return await self._send(group)

    async def _send(self, group: Sequence[Waiting]) -> list[Any]:
        data = b"".join([*(reading.commands.data for reading in group), self._common.data])
        count = sum(reading.commands.replies for reading in group) + self._common.replies
        try:
            async with asyncio.timeout(self._timeout):
                await self._connection.send_packed_command([data])
                # Read all replies, even after an error. Otherwise the next group would receive a leftover reply.
                return [await self._read_reply() for _ in range(count)]
        except TimeoutError:
            await self._connection.disconnect(nowait=True)
            raise TooSlow(f"Redis has not replied for {self._timeout} s") from None
        except RuntimeError as error:  # uvloop raises it if the other end has reset the connection.
            await self._connection.disconnect(nowait=True)
            raise ConnectionLost(str(error)) from error
        except BaseException:
            await self._connection.disconnect(nowait=True)
            raise

    async def _read_reply(self) -> Any:
        try:
            # The group has one time-out. A time-out for each reply would need more time than the reply.
            return await self._connection.read_response(timeout=inf)
        except ResponseError as error:
            return error


def finish(trip: asyncio.Future[Trip], own: Sequence[Any], common: Sequence[Any]) -> None:
    for reply in (*own, *common):
        if isinstance(reply, ResponseError):
            fail(trip, damage_in(reply) or reply)
            return
    if not trip.done():  # The client may have gone.
        trip.set_result(Trip(own, *common))


def fail_all(group: Sequence[Waiting], error: Exception) -> None:
    for reading in group:
        fail(reading.trip, error)


def fail(trip: asyncio.Future[Trip], error: Exception) -> None:
    if not trip.done():
        trip.set_exception(error)
