"""A replica that becomes the primary while clients query orders."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.forwarder import Forwarder
from tests.support.processes import suspended
from tests.support.redis_failures.nodes import Node, replica
from tests.support.redis_failures.orders import stored_quantities
from tests.support.redis_failures.readers import Verdict
from tests.support.redis_failures.service import EARLY, LATE, Service


@pytest.fixture
def copy(tmp_path: Path, primary: Node, link: Forwarder) -> Iterator[Node]:
    with replica(tmp_path / "copy", primary, link=link.port) as copy:
        yield copy


@pytest.fixture
def environment(environment: dict[str, str], primary: Node, copy: Node, forwarder: Forwarder) -> dict[str, str]:
    """Return the environment of a process that the forwarder can move from the primary to the replica."""
    return environment | {"REDIS_URL": primary.url_at(forwarder.port)}


@pytest.mark.slow
def test_queries_show_no_earlier_state_after_a_failover(
    primary: Node, copy: Node, link: Forwarder, forwarder: Forwarder, service: Service
) -> None:
    """The relay is suspended during the failover, so that queries meet the earlier state."""
    service.grow(EARLY)
    service.settle()
    eventually(lambda: copy.has_all_of(primary))
    copied = dict(service.orders.quantities)
    with service.reading() as readers:
        link.freeze()
        service.grow(LATE)
        service.settle()
        with suspended(service.relay):
            copy.promote()
            forwarder.switch(copy.port)
            assert stored_quantities(copy.redis, service.orders.quantities) == copied
            assert readers.next_verdicts() == {Verdict.UNAVAILABLE}
        service.settle()
    service.verify()


@pytest.mark.slow
def test_readers_of_a_replica_notice_its_promotion(
    copy: Node, link: Forwarder, forwarder: Forwarder, service: Service
) -> None:
    """Their connections stay open, so they connect to no server with a new replication id."""
    service.grow(EARLY)
    with service.query_worker(copy.url) as port, service.reading(port) as readers:
        service.settle(port)
        copied = dict(service.orders.quantities)
        link.freeze()
        service.grow(LATE)
        service.settle()
        with suspended(service.relay):
            connections = copy.clients()
            copy.promote()
            assert connections <= copy.clients(), "the server has closed connections"
            forwarder.switch(copy.port)
            assert stored_quantities(copy.redis, service.orders.quantities) == copied
            eventually(lambda: not readers.next_verdicts() & {Verdict.RIGHT})
        service.settle(port)
        service.grow(LATE)
        service.settle(port)
    service.verify()


@pytest.mark.slow
def test_queries_of_a_partitioned_primary_are_flagged(
    primary: Node, copy: Node, forwarder: Forwarder, service: Service
) -> None:
    """All other processes use the new primary. Later, the old primary becomes its replica."""
    service.grow(EARLY)
    with (
        service.query_worker(primary.url) as port,
        service.reading(port) as left_behind,
        service.reading() as others,
    ):
        service.settle(port)
        before = dict(service.orders.quantities)
        copy.promote()
        forwarder.switch(copy.port)
        service.grow(LATE)
        eventually(lambda: left_behind.next_verdicts() == {Verdict.BEHIND})
        assert stored_quantities(primary.redis, service.orders.quantities) == before
        service.settle()
        eventually(lambda: others.next_verdicts() == {Verdict.RIGHT})
        primary.replicate(copy.port)
        service.settle(port)
    service.verify()
