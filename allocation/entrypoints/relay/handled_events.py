"""The events that a subscription has handled lately, in Redis.

The subscription stores its cursor in the database. If another server takes over without the latest transactions, that
cursor is too low. This record then shows which events of the log the subscription has already handled.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from readmodel.store.connection import damage_in

KEPT = 1_000


class HandledEvents:
    """The names of the latest KEPT events, as `Cursor.read` returns them.

    If the record is not `required`, the subscription also works without Redis. It may then repeat events.
    """

    def __init__(self, redis: Redis, key: str, *, required: bool = True) -> None:
        self._redis = redis
        self._key = key
        self._ignored: tuple[type[RedisError], ...] = () if required else (RedisError,)

    def record(self, names: Sequence[str]) -> None:
        """Add the names of events that were handled. Raise RedisError if the record is required."""
        with suppress(*self._ignored):
            pipeline = self._redis.pipeline()
            pipeline.lpush(self._key, *names[-KEPT:])
            pipeline.ltrim(self._key, 0, KEPT - 1)
            pipeline.execute()

    def latest(self) -> list[str]:
        """Return the names, the latest first. Raise RedisError if the record is required."""
        with suppress(*self._ignored):
            return self._latest()
        return []

    def _latest(self) -> list[str]:
        try:
            return cast("list[str]", self._redis.lrange(self._key, 0, -1))
        except ResponseError as error:
            if damage_in(error) is None:
                raise
            self._redis.delete(self._key)  # It is no list.
            return []
