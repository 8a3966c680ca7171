from datetime import date

import pytest

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import CreateBatch
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.generations import Generations
from readmodel.store.store import Store
from tests.support.readmodel.generations import announce_generation
from tests.support.readmodel.rebuilds import follow_to_the_end


@pytest.fixture
def live(store: Store) -> str:
    """The name of an empty live generation, g1."""
    return announce_generation(store, Generations(), "g1")


@pytest.fixture
def shop(bus: MessageBus, model: Store, log: EventLog) -> MessageBus:
    """A bus that leaves the views to the relay. The views show two batches of S."""
    list(bus.handle_all([CreateBatch("b1", "S", 10, date(2027, 1, 1)), CreateBatch("b2", "S", 10, date(2028, 1, 1))]))
    follow_to_the_end(model, log)
    return bus
