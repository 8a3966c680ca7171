"""Sends several commands to Redis in one round trip, over one connection per thread."""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

from hiredis import pack_command
from redis import Redis
from redis.exceptions import ResponseError

from readmodel.store.errors import ModelDamaged

RedisCommand = tuple[str | int | bytes, ...]

PIECE = 100_000
"""Bytes per write. Each write has the full time-out, because Redis does not read while it executes commands."""


class PackedCommands(NamedTuple):
    """Commands in the form in which Redis reads them, and the number of their replies."""

    data: bytes
    replies: int


def pack(commands: Sequence[RedisCommand]) -> PackedCommands:
    data = b"".join(map(pack_command, commands))  # type: ignore[arg-type]  # Its stub only accepts 1-tuples.
    return PackedCommands(data, len(commands))


class OwnedConnection:
    """A connection that closes with its thread, and not at the next garbage collection."""

    def __init__(self, redis: Redis) -> None:
        pool = redis.connection_pool
        self.connection = pool.connection_class(**pool.connection_kwargs)

    def __del__(self) -> None:
        self.connection.disconnect()


class ThreadConnection(threading.local):
    """One connection per thread. A pool and a pipeline would need more time than Redis itself.

    If Redis has closed the connection, this object reconnects and retries as often as the client allows.
    """

    def __init__(self, redis: Redis) -> None:  # Python calls it once in each thread.
        self._owned = OwnedConnection(redis)
        self._connection = self._owned.connection
        self._retry = self._connection.retry

    def send(self, commands: Sequence[RedisCommand]) -> list[Any]:
        """Return the reply of each command. If commands fail, raise the first error.

        That is a RedisError, or ModelDamaged if a key has a value of the wrong type.
        """
        return self.send_packed(pack(commands))

    def send_packed(self, commands: PackedCommands) -> list[Any]:
        replies: list[Any] = self._retry.call_with_retry(
            lambda: self._exchange(commands), lambda _: self._connection.disconnect()
        )
        return replies

    def _exchange(self, commands: PackedCommands) -> list[Any]:
        data = memoryview(commands.data)
        self._connection.send_packed_command([data[at : at + PIECE] for at in range(0, len(data), PIECE)])
        # Read all replies, even after an error. Otherwise the next command would receive a leftover reply.
        replies = [self._read_reply() for _ in range(commands.replies)]
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise damage_in(reply) or reply
        return replies

    def _read_reply(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as error:
            return error


def damage_in(error: Exception) -> ModelDamaged | None:
    """Return the damage that an error reports: a key with a value of a wrong type."""
    return ModelDamaged(f"a key has a value of the wrong type: {error}") if "WRONGTYPE" in str(error) else None
