from collections.abc import Iterator

import pytest
from redis import Redis as RedisClient

from allocation.config import Settings
from allocation.local.redis import Redis
from tests.support.status.service import PREFIX, Service, relaying


@pytest.fixture
def settings(database_url: str, redis_server: Redis) -> Iterator[Settings]:
    """Settings with a Redis database and names that no other test uses.

    A relay in this process reports on itself until the end of the process.
    """
    redis_url = redis_server.url.removesuffix("0") + "9"
    yield Settings(database_url=database_url, redis_url=redis_url, ALLOCATION_REDIS_PREFIX=PREFIX)
    with RedisClient.from_url(redis_url) as redis:
        redis.flushdb()


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    """A service with a relay and no consumer. It is sound."""
    with relaying(settings):
        service = Service(settings)
        service.wait_until_sound()
        yield service
