"""The write side logs the events of a golden file, and the read model folds the same file."""

from datetime import date

from allocation.adapters.schemas.events import EVENT_NAMES
from allocation.domain.commands import (
    Allocate,
    ChangeBatchEta,
    ChangeBatchQuantity,
    ChangeLineQuantity,
    CreateBatch,
    Deallocate,
    Ship,
)
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.registers import state_of
from tests.support.golden import golden
from tests.support.service_layer.fakes import FakeStore


def test_write_side_logs_the_golden_events() -> None:
    """Each event has its type, time, epoch and version. Dates are ISO strings, because JSON has no dates."""
    store = FakeStore()
    bus = MessageBus(store.begin, lambda events: None)
    for command in (
        CreateBatch("wh-1", "RED-CHAIR", 10),
        CreateBatch("ship-1", "RED-CHAIR", 20, date(2027, 1, 15)),
        Allocate("order-1", "RED-CHAIR", 10),
        Allocate("order-2", "RED-CHAIR", 30),
        CreateBatch("ship-2", "RED-CHAIR", 40, date(2027, 3, 1)),
        ChangeBatchQuantity("wh-1", 6),
        ChangeBatchEta("ship-2", date(2027, 4, 1)),
        Allocate("order-3", "RED-CHAIR", 2),
        Deallocate("order-3", "RED-CHAIR"),
        Allocate("order-4", "RED-CHAIR", 8),
        ChangeLineQuantity("order-4", "RED-CHAIR", 7),
        Ship("order-4", "RED-CHAIR"),
    ):
        bus.handle(command)
    assert store.log == golden("events.json")
    assert {event["type"] for event in store.log} == set(EVENT_NAMES.values()), "every type is in the golden file"


def test_read_model_folds_the_golden_events() -> None:
    registers = [
        [register.key, register.field, register.version, state_of(register.value.decode(), {}), register.former_key]
        for register in PROJECTION.fold(golden("events.json"))
    ]
    assert sorted(registers) == sorted(golden("registers.json"))
