"""Views that no relay completes, because it does not run or because Redis refuses writes."""

import pytest

from tests.support.eventually import eventually
from tests.support.processes import running
from tests.support.redis_failures.nodes import Node
from tests.support.redis_failures.orders import stored_quantities
from tests.support.redis_failures.readers import Verdict
from tests.support.redis_failures.refusals import Refusal, without_memory, without_saves
from tests.support.redis_failures.service import EARLY, LATE, Service


@pytest.mark.slow
def test_queries_are_flagged_while_no_relay_runs(primary: Node, service: Service) -> None:
    """The workers still update the views. But only the relay can find that an event is missing."""
    service.grow(EARLY)
    with service.reading() as readers:
        service.settle()
        service.relay.kill()
        eventually(lambda: readers.next_verdicts() == {Verdict.BEHIND})
        service.grow(LATE)
        assert readers.next_verdicts() == {Verdict.BEHIND}
        assert stored_quantities(primary.redis, LATE) == service.orders.quantities_of(LATE)
        with running("relay", service.environment):
            service.settle()
            service.verify()


@pytest.mark.slow
@pytest.mark.parametrize("refusal", [without_memory, without_saves], ids=["no memory", "no saves"])
def test_queries_are_flagged_while_redis_refuses_writes(primary: Node, service: Service, refusal: Refusal) -> None:
    """Commands succeed meanwhile."""
    service.grow(EARLY)
    with service.reading() as readers:
        service.settle()
        before = dict(service.orders.quantities)
        with refusal(primary):
            service.grow(LATE)
            eventually(lambda: readers.next_verdicts() == {Verdict.BEHIND})
            service.grow(LATE)
            assert readers.next_verdicts() == {Verdict.BEHIND}
            assert stored_quantities(primary.redis, service.orders.quantities) == before
        service.settle()
    service.verify()
