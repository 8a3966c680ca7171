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
from readmodel.store.formats import DEFAULT, FORMAT_1
from readmodel.store.functions import Write
from readmodel.store.lists import Entry
from readmodel.store.registers import Register, state_of
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
        [write.key, write.field, write.version, state_of(write.value.decode(), {}), write.former_key]
        for write in PROJECTION.fold(golden("events.json"), FORMAT_1)
        if isinstance(write, Register)
    ]
    assert sorted(registers) == sorted(golden("registers.json"))


def test_read_model_folds_the_golden_events_in_format_2() -> None:
    """Redis keeps these bytes. If they change, a newer release must still read them."""
    writes = PROJECTION.fold(golden("events.json"), DEFAULT)
    assert sorted(map(as_golden, writes)) == sorted(golden("writes.json"))


def as_golden(write: Write) -> list[object]:
    """Return the key and what it stores: an entry, or a field with its value and the lists that it may be in."""
    if isinstance(write, Entry):
        return [write.key, write.member.decode()]
    return [write.key, write.field, write.value.decode(), list(write.lists), write.name]
