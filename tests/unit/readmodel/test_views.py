"""What every view must do: the relay, a rebuild and `verify` rely on it."""

from collections.abc import Mapping
from typing import Any

import pytest

from allocation.event_handlers import EVENT_HANDLERS, PROJECTION
from readmodel.projector.verification.strangers import view_of
from readmodel.store.formats import NEWEST, Format
from readmodel.store.functions import Write
from readmodel.store.lists import Entry, parse_entry
from readmodel.store.registers import Register
from readmodel.views.kinds import Kind, ListOfEvents, ListOfRegisters, Registers
from tests.support.golden import golden

EVENTS = golden("events.json")
FORMATS = [Format(number, kept=100 if number > 1 else 0) for number in range(1, NEWEST + 1)]
VIEWS: set[Any] = {handler for handlers in EVENT_HANDLERS.values() for handler in handlers if isinstance(handler, type)}


def places(event: Mapping[str, Any], target: Format) -> set[tuple[str, str]]:
    """Return the places that the event changes: a key and a field, or a list of events."""
    return {
        (write.key, write.field if isinstance(write, Register) else "") for write in PROJECTION.fold([event], target)
    }


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event['type']}-{event['version']}")
def test_a_view_handles_each_event_that_changes_it(event: dict[str, Any], target: Format) -> None:
    """Every view gets an event of an unknown type. `verify` expects the versions of all events of a row."""
    assert places(event, target) == places(event | {"type": "Unknown"}, target)


@pytest.mark.parametrize("target", FORMATS)
def test_a_kind_belongs_to_one_view(target: Format) -> None:
    of_all = [name for view in VIEWS for name in view.kinds(target)]
    assert sorted(of_all) == sorted(PROJECTION.kinds(target))


@pytest.mark.parametrize("target", FORMATS)
def test_a_view_describes_each_place_that_it_writes(target: Format) -> None:
    """Otherwise `verify` reports each of these places, and the relay deletes them."""
    kinds = PROJECTION.kinds(target)
    for write in PROJECTION.fold(EVENTS, target):
        assert_is_described(write, kinds)


def assert_is_described(write: Write, kinds: Mapping[str, Kind]) -> None:
    view = view_of(write.key, kinds)
    assert view is not None, write.key
    if isinstance(write, Entry):
        assert isinstance(view.kind, ListOfEvents)
        assert view.kind.event_of(parse_entry(write.member.decode()))
        return
    assert isinstance(view.kind, Registers)
    assert view.kind.row_of(view.identifier, write.field)
    for number, key in enumerate(write.lists, 1):
        listed = view_of(key, kinds)
        assert listed is not None, key
        assert isinstance(listed.kind, ListOfRegisters)
        assert listed.kind.number == number
        assert listed.kind.register_of(listed.identifier, write.name) == (write.key, write.field)
