"""Counts in Redis the registers that the relays have corrected. A flush of Redis resets the number."""

from dataclasses import dataclass
from typing import cast

from redis import Redis
from redis.exceptions import ResponseError

from readmodel.store.names import Names
from readmodel.store.records.progress import milliseconds
from readmodel.store.registers import number_of


@dataclass(frozen=True)
class Drift:
    """The number of corrected registers, and the seconds since the last correction. None: no correction is known."""

    registers: int
    seconds: float | None


def count_corrected(redis: Redis, names: Names, registers: int = 1) -> None:
    """Increase the number. If the key holds no number, start again. Raise RedisError."""
    try:
        redis.incrby(names.drift, registers)
    except ResponseError:  # Another program has changed the key, or the number is too large.
        redis.set(names.drift, registers)
    redis.set(names.drifted_at, milliseconds(cast("tuple[str, str]", redis.time())))


def corrected_registers(redis: Redis, names: Names) -> int:
    """Return the number, or 0 if the key holds no number. Raise RedisError if Redis is unavailable."""
    try:
        return int(cast("str | None", redis.get(names.drift)) or 0)
    except (ResponseError, ValueError):
        return 0


def read_drift(redis: Redis, names: Names) -> Drift:
    """Return the number and the age of the last correction. Raise RedisError if Redis is unavailable."""
    registers = corrected_registers(redis, names)
    try:
        at = number_of(cast("str | None", redis.get(names.drifted_at)) or "")
    except ResponseError:
        at = None
    if at is None:
        return Drift(registers, None)
    now = milliseconds(cast("tuple[str, str]", redis.time()))
    return Drift(registers, max(0.0, (now - at) / 1_000))
