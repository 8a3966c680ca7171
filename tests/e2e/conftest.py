from collections.abc import Iterator

import pytest

from allocation.local.postgres import Postgres
from allocation.local.redis import Redis
from tests.support.api import Api
from tests.support.databases import fresh_database
from tests.support.processes import running
from tests.support.services import web


@pytest.fixture
def environment(database_url: str, redis_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url}


@pytest.fixture
def relay(environment: dict[str, str]) -> Iterator[None]:
    with running("relay", environment):
        yield


@pytest.fixture
def port(environment: dict[str, str], relay: None) -> Iterator[int]:
    """The port of a service with its relay."""
    with web(environment) as port:
        yield port


@pytest.fixture
def api(port: int) -> Iterator[Api]:
    api = Api(port)
    yield api
    api.connection.close()


@pytest.fixture(scope="module")
def shared_port(postgres: Postgres, redis_of_the_session: Redis) -> Iterator[int]:
    """A service for the tests of a module whose commands don't meet; it keeps its views in a database of its own."""
    with fresh_database(postgres) as database_url:
        environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_of_the_session.url.removesuffix("0") + "1"}
        with running("relay", environment), web(environment) as port:
            yield port


@pytest.fixture
def shared_api(shared_port: int) -> Iterator[Api]:
    api = Api(shared_port)
    yield api
    api.connection.close()
