"""Stores whose trips to Redis a test can observe or disturb."""

from collections.abc import Sequence
from typing import Any

from redis import Redis

from readmodel.store.connection import RedisCommand, ThreadConnection
from readmodel.store.store import Store


class ConnectedStore(Store):
    """A store that sends its commands over the given connection."""

    def __init__(self, redis: Redis, connection: ThreadConnection) -> None:
        super().__init__(redis)
        self._connection = connection


class OneByOne(ThreadConnection):
    """Sends each command in a trip of its own. So others see the generations between two writes."""

    def send(self, commands: Sequence[RedisCommand]) -> list[Any]:
        return [reply for command in commands for reply in super(OneByOne, self).send([command])]
