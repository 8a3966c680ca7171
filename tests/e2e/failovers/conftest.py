from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.failovers.replication import ReplicatedPostgres
from tests.support.failovers.service import Service, service_on
from tests.support.servers import postgres_in


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[ReplicatedPostgres]:
    """Yield a PostgreSQL primary with a standby."""
    servers = ReplicatedPostgres(postgres_in(tmp_path / "primary"))
    servers.add_standby()
    yield servers
    servers.stop()


@pytest.fixture
def service(replicated: ReplicatedPostgres, redis_url: str) -> Iterator[Service]:
    """Yield a service on replicated servers."""
    with service_on(replicated.url, redis_url) as service:
        yield service
