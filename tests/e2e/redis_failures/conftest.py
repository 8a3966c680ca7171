"""A service with a Redis server of its own, which marks its views as behind after a second."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.forwarder import Forwarder, forwarding
from tests.support.processes import running
from tests.support.redis_failures.nodes import Node, node
from tests.support.redis_failures.readers import LIMIT
from tests.support.redis_failures.service import Service


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path / "primary") as primary:
        yield primary


@pytest.fixture
def forwarder(primary: Node) -> Iterator[Forwarder]:
    """Yield a forwarder to the primary, so that the clients of one REDIS_URL can move to another server."""
    with forwarding(primary.port) as forwarder:
        yield forwarder


@pytest.fixture
def link(primary: Node) -> Iterator[Forwarder]:
    """Yield the way from the replica to the primary."""
    with forwarding(primary.port) as link:
        yield link


@pytest.fixture
def environment(database_url: str, primary: Node) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "REDIS_URL": primary.url, "ALLOCATION_VIEWS_STALE": str(LIMIT)}


@pytest.fixture
def relay(environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    with running("relay", environment) as process:
        yield process


@pytest.fixture
def service(environment: dict[str, str], relay: "subprocess.Popen[str]", port: int, api: Api) -> Service:
    return Service(environment, relay, port, api)
