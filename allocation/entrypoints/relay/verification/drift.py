"""Counts in Redis the registers that the relays have corrected. A flush of Redis resets the number."""

from typing import cast

from redis import Redis
from redis.exceptions import ResponseError

from readmodel.store.names import Names


def count_corrected(redis: Redis, names: Names, registers: int = 1) -> None:
    """Increase the number. If the key holds no number, start again. Raise RedisError."""
    try:
        redis.incrby(names.drift, registers)
    except ResponseError:  # Another program has changed the key, or the number is too large.
        redis.set(names.drift, registers)


def corrected_registers(redis: Redis, names: Names) -> int:
    """Return the number, or 0 if the key holds no number. Raise RedisError if Redis is unavailable."""
    try:
        return int(cast("str | None", redis.get(names.drift)) or 0)
    except (ResponseError, ValueError):
        return 0
