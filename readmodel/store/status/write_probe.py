"""Whether Redis accepts writes."""

from redis import Redis
from redis.exceptions import ResponseError

from readmodel.store.names import Names

PROBE_LASTS = 1_000
"""Milliseconds after which Redis deletes the probe of a write."""


def refusal(redis: Redis, names: Names) -> str | None:
    """Return the error with which Redis refuses a write, in one line, or None. Raise other RedisErrors."""
    try:
        redis.set(names.write_probe, "", px=PROBE_LASTS)
    except ResponseError as error:
        return " ".join(str(error).split())
    return None
