from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.failovers.replication import ReplicatedPostgres, replicated
from tests.support.failovers.service import Service, service_on
from tests.support.servers import postgres_in


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[ReplicatedPostgres]:
    """Yield a PostgreSQL primary with a standby."""
    with replicated(postgres_in(tmp_path / "primary")) as servers:
        yield servers


@pytest.fixture
def service(servers: ReplicatedPostgres, redis_url: str) -> Iterator[Service]:
    """Yield a service on these servers."""
    with service_on(servers.url, redis_url) as service:
        yield service
