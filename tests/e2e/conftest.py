"""Processes of the service for end-to-end tests."""

from collections.abc import Iterator

import pytest

from tests.support.adapters.databases import least_privilege
from tests.support.adapters.redis_users import SERVICE, url_for
from tests.support.api import Api
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
