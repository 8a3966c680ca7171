"""Detects a second service that uses the same names on a Redis server.

Each relay subscribes to a channel that bears the name of its database. A subscription ends with its process. Clients of
every Redis database see it.
"""

from redis import Redis

from readmodel.store.names import Names


class RedisShared(Exception):
    """Another service, with another database, uses the same names on this Redis server."""

    def __str__(self) -> str:
        return (
            "Another service, with another database, uses this Redis server. "
            "Set ALLOCATION_REDIS_PREFIX to a prefix that only this service uses"
        )


def require_alone(redis: Redis, names: Names, database: str) -> None:
    """Raise RedisShared if a relay with another database uses these names. Raise RedisError."""
    if set(redis.pubsub_channels(names.presence("*"))) - {names.presence(database)}:
        raise RedisShared
