"""Commands to Redis that are sent together, on a connection that each thread keeps."""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

from hiredis import pack_command
from redis import Redis
from redis.exceptions import ResponseError

Command = tuple[str | int | bytes, ...]


PIECE = 100_000
"""Bytes for which Redis has the whole of a time-out: it reads nothing while it carries out what came before."""


class Packed(NamedTuple):
    """Commands, ready to be sent."""

    data: bytes
    replies: int


def packed(commands: Sequence[Command]) -> Packed:
    data = b"".join(map(pack_command, commands))  # type: ignore[arg-type]  # Its stub knows tuples of one alone.
    return Packed(data, len(commands))


class Kept:
    """A connection that is closed with its thread, and not when Python next searches for cycles."""

    def __init__(self, redis: Redis) -> None:
        pool = redis.connection_pool
        self.connection = pool.connection_class(**pool.connection_kwargs)

    def __del__(self) -> None:
        self.connection.disconnect()


class Wire(threading.local):
    """A connection of its own for each thread: a pool and a pipeline would cost more than Redis itself.

    One that Redis has closed meanwhile is opened again, as often as the client may retry.
    """

    def __init__(self, redis: Redis) -> None:  # Called in each thread that uses it.
        self._kept = Kept(redis)
        self._connection = self._kept.connection
        self._retry = self._connection.retry

    def trip(self, commands: Sequence[Command]) -> list[Any]:
        """The replies. Raises RedisError: of several commands that failed, the first one's."""
        return self.send(packed(commands))

    def send(self, commands: Packed) -> list[Any]:
        replies: list[Any] = self._retry.call_with_retry(
            lambda: self._exchange(commands), lambda _: self._connection.disconnect()
        )
        return replies

    def _exchange(self, commands: Packed) -> list[Any]:
        data = memoryview(commands.data)
        self._connection.send_packed_command([data[at : at + PIECE] for at in range(0, len(data), PIECE)])
        # All of them: one that is left would be taken for the next trip's.
        replies = [self._reply() for _ in range(commands.replies)]
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return replies

    def _reply(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as error:
            return error
