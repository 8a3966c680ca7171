"""Signs of life: the relay and the consumer show that they work, so that others notice if one hangs.

A process that is connected may be suspended, or wait forever. So each turn of its main loop shows a sign of life.
"""

import os
import socket
import time
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from readmodel.store.records.progress import milliseconds

SHOWN_EVERY, RETRIED_AFTER, FORGOTTEN_AFTER = 1.0, 9.0, 86_400.0
HANGS_AFTER = 30.0
"""Seconds without a sign of life, after which a process counts as hanging."""


class SignOfLife:
    """The sign of this process. `key` is a sorted set with the latest moment of each process."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._key = key
        self._process = f"{socket.gethostname()}:{os.getpid()}"
        self._next = 0.0

    def show(self) -> None:
        """Show the sign at most once per SHOWN_EVERY seconds. If Redis refuses it, the sign is missing."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SHOWN_EVERY
        try:
            now = milliseconds(cast("tuple[str, str]", self._redis.time()))
            self._redis.zadd(self._key, {self._process: now})
            self._redis.zremrangebyscore(self._key, 0, now - 1_000 * FORGOTTEN_AFTER)
        except RedisError:
            self._next += RETRIED_AFTER  # A server that hangs must not slow the process down.


def latest_signs(redis: Redis, key: str) -> dict[str, float]:
    """Map each process, as host and pid, to the seconds since its latest sign. The latest process is the first.

    A process that has ended stays for up to FORGOTTEN_AFTER seconds. Raise RedisError.
    """
    found = cast("list[tuple[str, float]]", redis.zrange(key, 0, -1, desc=True, withscores=True))
    now = milliseconds(cast("tuple[str, str]", redis.time()))
    ages = {process: max(0.0, (now - at) / 1_000) for process, at in found}
    return {process: seconds for process, seconds in ages.items() if seconds < FORGOTTEN_AFTER}


def reason_of_silence(redis: Redis, key: str, process: str) -> str | None:
    """Return why no such process seems to work, or None. Raise RedisError."""
    found = cast("list[tuple[str, float]]", redis.zrange(key, -1, -1, withscores=True))
    if not found:
        return f"no {process} works"
    seconds = milliseconds(cast("tuple[str, str]", redis.time())) / 1_000 - found[0][1] / 1_000
    return f"the {process} has shown no sign of life for {seconds:.0f} s" if seconds > HANGS_AFTER else None
