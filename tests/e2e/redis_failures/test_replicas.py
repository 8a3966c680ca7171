"""Replicas of a Redis server that remains the primary."""

from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.forwarder import Forwarder
from tests.support.redis_failures.nodes import Node, replica
from tests.support.redis_failures.readers import Verdict
from tests.support.redis_failures.service import EARLY, LATE, Service


@pytest.mark.slow
def test_a_replica_serves_queries(primary: Node, link: Forwarder, service: Service, tmp_path: Path) -> None:
    """While it gets no changes from the primary, its answers are flagged."""
    service.grow(EARLY)
    with (
        replica(tmp_path / "copy", primary, link=link.port) as copy,
        service.query_worker(copy.url) as port,
        service.reading(port) as readers,
    ):
        service.settle(port)
        service.grow(LATE)
        service.settle(port)
        link.freeze()
        service.grow(LATE)
        eventually(lambda: readers.next_verdicts() == {Verdict.BEHIND})
        assert copy.replication_id() == primary.replication_id()
        link.thaw()
        service.settle(port)
        eventually(lambda: readers.next_verdicts() == {Verdict.RIGHT})


@pytest.mark.slow
def test_queries_recover_after_the_first_replica(
    primary: Node, forwarder: Forwarder, service: Service, tmp_path: Path
) -> None:
    """It gives the primary a new replication id. The workers meet it over open connections, and then over new ones."""
    service.grow(EARLY)
    with service.query_worker(primary.url_at(forwarder.port)) as port, service.reading(port) as readers:
        service.settle(port)
        before = primary.replication_id()
        with replica(tmp_path / "copy", primary):
            assert primary.replication_id() != before
            eventually(lambda: readers.next_verdicts() == {Verdict.RIGHT})
            forwarder.cut()
            eventually(lambda: readers.next_verdicts() == {Verdict.RIGHT})
            service.grow(LATE)
            service.settle(port)
    service.verify()
