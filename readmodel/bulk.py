"""Many commands to Redis in one go: a pipeline for those of which there are so many that queueing them takes long."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hiredis import pack_command
from redis import Redis

Command = tuple[Any, ...]


class Bulk(NamedTuple):
    """Commands, ready to be sent."""

    packed: bytes
    replies: int


def packed(commands: Sequence[Command]) -> Bulk:
    return Bulk(b"".join(map(pack_command, commands)), len(commands))


def send(redis: Redis, bulk: Bulk) -> list[Any]:
    """The reply to each command. Raises RedisError where one was refused, or the connection was lost: no second try."""
    connection = redis.connection_pool.get_connection()
    try:
        connection.send_packed_command([bulk.packed])
        return [connection.read_response() for _ in range(bulk.replies)]
    except BaseException:
        connection.disconnect()  # Whoever gets it next must not read the rest of these replies.
        raise
    finally:
        redis.connection_pool.release(connection)
