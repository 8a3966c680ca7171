"""The registers and the entries that the views must hold, according to the state."""

from collections.abc import Iterator
from typing import NamedTuple

from readmodel.projector.verification.hashes import LISTED
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
