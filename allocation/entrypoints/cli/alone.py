"""Keeps a process from starting beside another service that uses the same names on a Redis server."""

from contextlib import suppress

from redis.exceptions import RedisError

from allocation import components
from allocation.config import Settings
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from readmodel.store.records import presence


def require_alone(settings: Settings) -> None:
    """Raise RedisShared if a relay with another database uses the same names on the Redis server.

    If a store is unavailable, do nothing: processes start without their stores, too.
    """
    engine = components.create_engine(settings, connections=1)
    try:
        with suppress(RedisError, RetryableError, StoreUnavailable):
            database = components.create_log(settings, engine).database()
            presence.require_alone(components.create_redis(settings), components.create_names(settings), database)
    finally:
        engine.dispose()
