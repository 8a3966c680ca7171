"""Processes of the service for end-to-end tests."""

from collections.abc import Iterator

import pytest
from redis import Redis as RedisClient

from allocation.local.postgres import Postgres
from allocation.local.redis import Redis
from tests.support.adapters.databases import fresh_database, least_privilege
from tests.support.adapters.redis_users import SERVICE, url_for
from tests.support.api import Api
from tests.support.description.described import DescribedApi, Description
from tests.support.processes import running
from tests.support.services import web


@pytest.fixture
def environment(database_url: str, redis_url: str) -> dict[str, str]:
    """Return the environment variables of a process that uses this test's stores."""
    return {**least_privilege(database_url), "REDIS_URL": url_for(SERVICE, redis_url)}


@pytest.fixture
def relay(environment: dict[str, str]) -> Iterator[None]:
    with running("relay", environment):
        yield


@pytest.fixture
def port(environment: dict[str, str], relay: None) -> Iterator[int]:
    """Yield the port of a web server that has a relay beside it."""
    with web(environment) as port:
        yield port


@pytest.fixture
def api(port: int) -> Iterator[Api]:
    api = Api(port)
    yield api
    api.connection.close()


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
    """Yield the port of the shared service. It runs from its first test to the last end-to-end test."""
    with running("relay", shared_environment), web(shared_environment) as port:
        yield port


@pytest.fixture(scope="package")
def description(shared_port: int) -> Iterator[Description]:
    """Yield what the shared service says about itself."""
    api = Api(shared_port)
    yield Description(api.get("openapi.json").json)
    api.connection.close()


@pytest.fixture
def shared_api(shared_port: int, description: Description) -> Iterator[Api]:
    """Yield a client of the shared service. It compares each answer with the description of the service."""
    api = DescribedApi(shared_port, description)
    yield api
    api.connection.close()
