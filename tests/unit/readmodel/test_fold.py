"""A projection passes each event to the views that its table names."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from readmodel.projector.fold import Projection
from readmodel.store.formats import DEFAULT, Format
from readmodel.store.reads.consistency import WrittenRegister
from readmodel.store.registers import Register
from readmodel.views.kinds import Kind


class FakeView:
    """Yields a register for each event. The field is the name of the view, and the value is the type of the event."""

    cached_members: ClassVar[dict[str, str]] = {}

    def __init__(self, _: Format) -> None:
        self._types: list[str] = []

    def apply(self, event: Mapping[str, Any]) -> None:
        self._types.append(event["type"])

    def writes(self) -> Iterator[Register]:
        for version, event_type in enumerate(self._types, 1):
            yield Register("key", type(self).__name__, version, event_type.encode())

    @staticmethod
    def kinds(_: Format) -> dict[str, Kind]:
        return {}

    @classmethod
    def written(cls, event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        yield cls.__name__, event["sku"]


class Orders(FakeView):
    cached_members: ClassVar[dict[str, str]] = {"order": "price"}


class Products(FakeView):
    cached_members: ClassVar[dict[str, str]] = {"product": "colour"}


PROJECTION = Projection({"Created": [Products], "Allocated": [Products, Orders], "Audited": []})


def applied(*event_types: str) -> list[tuple[str, str]]:
    """Return each view and the type of each event that it got."""
    writes = PROJECTION.fold(({"type": event_type} for event_type in event_types), DEFAULT)
    return [(write.field, write.value.decode()) for write in writes if isinstance(write, Register)]


def test_an_event_changes_only_the_views_of_its_type() -> None:
    assert applied("Created") == [("Products", "Created")]
    assert applied("Allocated") == [("Products", "Allocated"), ("Orders", "Allocated")]
    assert applied("Audited") == []


def test_an_unknown_event_changes_every_view() -> None:
    """A newer process may have logged it. Events are complete, so each view can use what it knows."""
    assert applied("Recoloured") == [("Products", "Recoloured"), ("Orders", "Recoloured")]


def test_a_view_gets_its_events_in_order() -> None:
    assert applied("Created", "Recoloured", "Audited", "Allocated") == [
        ("Products", "Created"),
        ("Products", "Recoloured"),
        ("Products", "Allocated"),
        ("Orders", "Recoloured"),
        ("Orders", "Allocated"),
    ]


def test_each_fold_starts_with_new_views() -> None:
    assert applied("Created") == applied("Created")


def test_a_projection_caches_the_members_of_all_its_views() -> None:
    assert PROJECTION.cached_members == {"product": "colour", "order": "price"}


def test_written_registers_have_their_last_versions() -> None:
    events = [
        {"type": "Allocated", "sku": "S", "version": 1},
        {"type": "Created", "sku": "S", "version": 2},
        {"type": "Created", "sku": "T", "version": 1},
    ]
    assert PROJECTION.written(events) == [
        WrittenRegister("Products", "S", 2),
        WrittenRegister("Orders", "S", 1),
        WrittenRegister("Products", "T", 1),
    ]
