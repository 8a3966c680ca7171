"""The events that a subscription has handled or parked lately, in Redis.

The subscription stores its cursor and its parked events in the database. If another server takes over without the
latest transactions, that cursor is too low, and parked events are missing. This record then shows which events of the
log the subscription has already handled, and which of them it must park again.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from readmodel.store.connection import damage_in

KEPT, PARKED_KEPT = 1_000, 10_000


class HandledEvents:
    """The names of the latest KEPT handled events and PARKED_KEPT parked events, as `LogEntry.name` has them.

    If the record is not `required`, the subscription also works without Redis. It may then repeat events.
    """

    def __init__(self, redis: Redis, key: str, *, required: bool = True) -> None:
        self._redis = redis
        self._key, self._parked_key = key, f"{key}:parked"
        self._ignored: tuple[type[RedisError], ...] = () if required else (RedisError,)

    def record(self, names: Sequence[str]) -> None:
        """Add the names of events that were handled. Raise RedisError if the record is required."""
        self._add(self._key, names, KEPT)

    def record_parked(self, names: Sequence[str]) -> bool:
        """Add the names of events that may be parked. Return whether that succeeded.

        Raise RedisError if the record is required.
        """
        return self._add(self._parked_key, names, PARKED_KEPT)

    def latest(self) -> list[str]:
        """Return the names of handled events, the latest first. Raise RedisError if the record is required."""
        return self._read(self._key)

    def parked(self) -> list[str]:
        """Return the names of parked events, the latest first. Raise RedisError if the record is required."""
        return self._read(self._parked_key)

    def _add(self, key: str, names: Sequence[str], kept: int) -> bool:
        with suppress(*self._ignored):
            pipeline = self._redis.pipeline()
            pipeline.lpush(key, *names[-kept:])
            pipeline.ltrim(key, 0, kept - 1)
            pipeline.execute()
            return True
        return False

    def _read(self, key: str) -> list[str]:
        with suppress(*self._ignored):
            try:
                return cast("list[str]", self._redis.lrange(key, 0, -1))
            except ResponseError as error:
                if damage_in(error) is None:
                    raise
                self._redis.delete(key)  # It is no list.
        return []
