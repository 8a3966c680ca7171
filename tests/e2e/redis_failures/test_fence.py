"""Redis lacks events that the relay must not pass, because an open transaction holds the fence."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine

from tests.support.adapters.event_log import append, out_of_stock
from tests.support.eventually import eventually
from tests.support.redis_failures.nodes import Node
from tests.support.redis_failures.orders import stored_quantities
from tests.support.redis_failures.readers import Verdict
from tests.support.redis_failures.refusals import without_memory
from tests.support.redis_failures.service import EARLY, LATE, Service


@contextmanager
def held_fence(engine: Engine) -> Iterator[None]:
    with engine.connect() as holder:
        append(holder, out_of_stock("HELD", 1))
        yield
        holder.rollback()


@pytest.mark.slow
def test_queries_wait_for_the_fence_after_a_restart(primary: Node, service: Service, engine: Engine) -> None:
    """The relay finds no event that it may apply. But the views lack events that they have shown."""
    service.grow(EARLY)
    with service.reading() as readers:
        service.settle()
        primary.save()
        saved = dict(service.orders.quantities)
        with held_fence(engine):
            service.grow(LATE)
            eventually(lambda: stored_quantities(primary.redis, LATE) == service.orders.quantities_of(LATE))
            primary.restart_with_the_last_save()
            primary.wait_for_turns_of_the_relay()
            assert readers.next_verdicts() == {Verdict.UNAVAILABLE}
            assert stored_quantities(primary.redis, service.orders.quantities) == saved
        service.settle()
    service.verify()


@pytest.mark.slow
def test_queries_are_flagged_while_the_relay_waits(primary: Node, service: Service, engine: Engine) -> None:
    """The workers could not write the events, and the relay must not pass them yet."""
    service.grow(EARLY)
    with service.reading() as readers:
        service.settle()
        before = dict(service.orders.quantities)
        with held_fence(engine):
            with without_memory(primary):
                service.grow(LATE)
            primary.wait_for_turns_of_the_relay()
            eventually(lambda: readers.next_verdicts() == {Verdict.BEHIND})
            assert stored_quantities(primary.redis, service.orders.quantities) == before
        service.settle()
    service.verify()
