"""One service for all tests of this folder that need no service of their own."""

from collections.abc import Iterator

import pytest
from redis import Redis as RedisClient

from allocation.local.postgres import Postgres
from allocation.local.redis import Redis
from tests.support.adapters.databases import fresh_database, least_privilege
from tests.support.adapters.redis_users import SERVICE, url_for
from tests.support.api import Api
from tests.support.processes import running
from tests.support.services import web


@pytest.fixture(scope="package")
def shared_environment(postgres: Postgres, redis_server: Redis) -> Iterator[dict[str, str]]:
    """Yield the variables of the shared service. Its Redis names have a prefix, because other tests share the server.

    The tests that share it use different orders, SKUs and batches.
    """
    redis_url = redis_server.url.removesuffix("0") + "1"
    with fresh_database(postgres) as database_url:
        yield {
            **least_privilege(database_url),
            "REDIS_URL": url_for(SERVICE, redis_url),
            "ALLOCATION_REDIS_PREFIX": "shared",
        }
    with RedisClient.from_url(redis_url) as redis:
        redis.flushdb()


@pytest.fixture(scope="package")
def shared_port(shared_environment: dict[str, str]) -> Iterator[int]:
    with running("relay", shared_environment), web(shared_environment) as port:
        yield port


@pytest.fixture
def shared_api(shared_port: int) -> Iterator[Api]:
    api = Api(shared_port)
    yield api
    api.connection.close()
