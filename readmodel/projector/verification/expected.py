"""The registers and the entries that the views must hold, according to the state."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from readmodel.projector.faulty_events import fold_items, fold_state
from readmodel.projector.fold import Projection
from readmodel.projector.verification.hashes import LISTED
from readmodel.store.formats import Format
from readmodel.store.functions import Write
from readmodel.store.lists import Entry, entries_of
from readmodel.views.kinds import Name

Place = tuple[str, str]
"""A key without its generation, and a field of a hash or an entry of a list."""


class Expected(NamedTuple):
    """The register that follows from the state. If its value is None, the place must be empty. `row` names the row."""

    version: int
    value: str | None
    row: Name
    other_key: str | None = None
    lists: tuple[str, ...] = ()
    name: str = ""


def expected_writes(
    projection: Projection, kind: str, events: Sequence[Mapping[str, Any]], target: Format
) -> list[Write]:
    """Return the writes that follow from a row of the state, or from an event of the log: see `State.events_of`.

    An event that the views can't apply has none. An older event does not say what a register holds now.
    """
    if kind != "event":
        return fold_state(projection, events, target)
    writes = fold_items(projection, events, lambda event: event, target).writes
    return [write for write in writes if isinstance(write, Entry)]


def expected_from(write: Write, row: Name) -> Iterator[tuple[Place, Expected]]:
    """Yield each place that the write sets or clears, with what it must hold. `row` names the row of the write."""
    if isinstance(write, Entry):
        yield (write.key, write.member.decode()), Expected(0, LISTED, row)
        return
    key, field, version, value, other, _, lists, name = write
    yield (key, field), Expected(version, value.decode(), row, other, lists, name)
    if other is not None:
        yield (other, field), Expected(version, None, row, key)
    for list_key, member in entries_of(lists, name, value.decode()):
        yield (list_key, member), Expected(version, LISTED, row)
