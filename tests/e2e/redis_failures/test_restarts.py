"""Redis servers that return to an earlier state, or to none, while clients query orders.

In the first half of each test, the relay is suspended, so that queries meet the earlier state.
"""

from pathlib import Path

import pytest

from readmodel.store.names import PLAIN
from tests.support.e2e.rebuilds import rebuild_views
from tests.support.processes import suspended
from tests.support.redis_failures.nodes import Node
from tests.support.redis_failures.orders import stored_quantities
from tests.support.redis_failures.readers import Verdict
from tests.support.redis_failures.service import EARLY, LATE, Service


@pytest.mark.slow
def test_queries_show_no_earlier_state_after_a_restart(primary: Node, service: Service) -> None:
    service.grow(EARLY)
    with service.reading() as readers:
        service.settle()
        primary.save()
        saved = dict(service.orders.quantities)
        service.grow(LATE)
        service.settle()
        with suspended(service.relay):
            primary.restart_with_the_last_save()
            assert stored_quantities(primary.redis, service.orders.quantities) == saved
            assert readers.next_verdicts() == {Verdict.UNAVAILABLE}
        service.settle()
        primary.save()
        service.grow(LATE)
        service.settle()
        primary.restart_with_the_last_save()
        service.settle()
    service.verify()


@pytest.mark.slow
def test_queries_show_no_dump_from_before_a_rebuild(primary: Node, service: Service, tmp_path: Path) -> None:
    """The server returns to a generation that the service has replaced."""
    dump = tmp_path / "dump.rdb"
    service.grow(EARLY)
    service.settle()
    saved, former = dict(service.orders.quantities), primary.redis.get(PLAIN.generations)
    primary.save_to(dump)
    service.grow(LATE)
    rebuild_views(service.environment)
    assert primary.redis.get(PLAIN.generations) != former
    service.grow(LATE)
    with service.reading() as readers:
        service.settle()
        with suspended(service.relay):
            primary.restart_from(dump)
            assert primary.redis.get(PLAIN.generations) == former
            assert stored_quantities(primary.redis, service.orders.quantities) == saved
            assert readers.next_verdicts() == {Verdict.UNAVAILABLE}
        service.settle()
        primary.restart_from(dump)
        service.settle()
    service.verify()


@pytest.mark.slow
def test_queries_wait_for_the_rebuild_after_a_flush(primary: Node, service: Service) -> None:
    service.grow(EARLY)
    with service.reading() as readers:
        service.settle()
        with suspended(service.relay):
            primary.redis.flushall()
            service.grow(LATE)
            assert primary.redis.keys("g*") == [], "a command has restored a part of the views"
            assert readers.next_verdicts() == {Verdict.UNAVAILABLE}
        service.settle()
        primary.redis.flushall()
        service.settle()
    service.verify()
