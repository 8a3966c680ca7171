"""A poison event in the log, and a handler that it makes fail."""

import pytest
from sqlalchemy import Engine

from allocation.domain.commands import Allocate
from allocation.service_layer.messagebus import MessageBus
from tests.support.adapters.subscriptions import run_out_of_stock
from tests.support.entrypoints.poison import DamagedEvent, Recorder


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def poison(bus: MessageBus, engine: Engine) -> DamagedEvent:
    """The event S2 has no line. The events T2, S3 and U2 follow."""
    run_out_of_stock(bus, "S", "T")
    bus.handle(Allocate("o2", "S", 2))
    run_out_of_stock(bus, "U")
    return DamagedEvent(engine, "S", 2).without("line")
