"""The fold finds the events that the views can't apply, and leaves out only these."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from allocation.event_handlers import PROJECTION
from allocation.service_layer.unit_of_work import CommittedEvents
from readmodel.projector.fast_path import FastPath
from readmodel.projector.faulty_events import fold_items, fold_state, fold_texts
from readmodel.projector.fold import Projection
from readmodel.store.formats import DEFAULT, FORMAT_1, Format
from readmodel.store.registers import Register
from readmodel.views.kinds import Kind
from tests.support.golden import golden

EVENTS: list[dict[str, Any]] = golden("events.json")


class Picky:
    """A view that can apply any event of the type "odd" alone, but not two of them."""

    cached_members: ClassVar[dict[str, str]] = {}

    def __init__(self, _: Format) -> None:
        self._versions: list[int] = []

    def apply(self, event: Mapping[str, Any]) -> None:
        if event["type"] == "odd":
            self._versions.append(event["version"])

    def writes(self) -> Iterator[Register]:
        if len(self._versions) > 1:
            raise ValueError("two odd events")
        yield from (Register("key", "field", version, b"") for version in self._versions)

    @staticmethod
    def kinds(_: Format) -> dict[str, Kind]:
        return {}

    @staticmethod
    def written(_: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        yield from ()


def as_is(event: dict[str, Any]) -> dict[str, Any]:
    return event


@pytest.mark.parametrize("member", ["type", "sku", "version", "batches", "available", "waiting", "at", "line"])
def test_only_the_damaged_event_is_left_out(member: str) -> None:
    other = [event for event in EVENTS if event["sku"] != EVENTS[-1]["sku"]] or EVENTS[:-1]
    damaged = {name: value for name, value in EVENTS[-1].items() if name != member}
    folded = fold_items(PROJECTION, [*other, damaged], as_is, DEFAULT)
    assert [event for event, _ in folded.faulty] == [damaged]
    assert folded.writes == list(PROJECTION.fold(other, DEFAULT))
    assert all(member in reason for _, reason in folded.faulty)


@pytest.mark.parametrize("change", [{"version": "7"}, {"version": 7.0}, {"sku": 5}, {"batches": None}, {"line": "x"}])
def test_an_event_with_a_wrong_type_is_faulty(change: dict[str, Any]) -> None:
    assert [event for event, _ in fold_items(PROJECTION, [EVENTS[-1] | change], as_is, DEFAULT).faulty]


@pytest.mark.parametrize("text", ["[]", "null", "7", r'{"sku": "\ud800"}', '{"version": 1e999}', "[" * 2_000])
def test_a_text_that_is_no_event_is_faulty(text: str) -> None:
    folded = fold_texts(PROJECTION, [text], DEFAULT)
    assert (folded.writes, folded.versions, [item for item, _ in folded.faulty]) == ([], {}, [text])


def test_events_that_fail_only_together_are_found() -> None:
    events = [{"type": kind, "sku": "S", "version": n} for n, kind in enumerate(["even", "odd", "odd", "even", "odd"])]
    folded = fold_items(Projection({"odd": [Picky], "even": [Picky]}), events, as_is, FORMAT_1)
    assert len(folded.faulty) == 2
    assert [write.version for write in folded.writes if isinstance(write, Register)] == [
        event["version"]
        for event in events
        if event["type"] == "odd" and event not in [one for one, _ in folded.faulty]
    ]


def test_a_state_with_a_damaged_reason_has_its_registers() -> None:
    """The log of a line's last event may be damaged. The state of the line is still known."""
    event = next(event for event in EVENTS if "line" in event)
    right = list(PROJECTION.fold([event], DEFAULT._replace(kept=0)))
    state = {name: value for name, value in event.items() if name != "at"} | {"why": [{"ref": "b"}]}
    found = fold_state(PROJECTION, [state], DEFAULT)
    assert {write.key for write in found} == {write.key for write in right}


@pytest.mark.parametrize("value", [[], {}, None, 7, "Unknown", [["Allocated"]]])
@pytest.mark.parametrize("member", ["type", "at", "why", "actor"])
def test_a_state_needs_no_member_of_the_log(member: str, value: object) -> None:
    event = next(event for event in EVENTS if "line" in event)
    right = list(PROJECTION.fold([event], DEFAULT._replace(kept=0)))
    found = fold_state(PROJECTION, [event | {member: value}], DEFAULT)
    assert {write.key for write in right} <= {write.key for write in found}


def test_the_fast_path_applies_the_other_events(caplog: pytest.LogCaptureFixture) -> None:
    """The command has succeeded, so its client must not get an error."""

    class Store:
        writes: ClassVar[list[Any]] = []

        def apply(self, fold: Any, _: str) -> None:
            self.writes.extend(fold(DEFAULT))

    store = Store()
    damaged = {name: value for name, value in EVENTS[-1].items() if name != "batches"}
    fast_path = FastPath(store, PROJECTION)  # type: ignore[arg-type]
    for _ in range(2):
        fast_path(CommittedEvents([*EVENTS[:-1], damaged], "the log"))
    assert store.writes == 2 * list(PROJECTION.fold(EVENTS[:-1], DEFAULT))
    [line] = caplog.messages
    assert "Commands do not update the views with some events. The relay parks these: KeyError: 'batches'" in line
