"""Finds the differences between the live views and the state, under live traffic and without false alarms.

A reader sees the state and the views at different times. So the first comparison only finds suspects:

1. Read the state, and then the views.
2. Wait until the cursors have passed the log's end. The views are then at least as new as the state of step 1.
3. Read the views, and then the state again. The views were not newer than this state: a commit precedes its view.

So a register is wrong if its state did not change from step 1 to step 3, or if its version is not between the two.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from readmodel.projector.fold import Projection
from readmodel.projector.follow import Log
from readmodel.projector.verification.expected import Expected, Place, expected_from, expected_writes
from readmodel.projector.verification.hashes import read_fields
from readmodel.projector.verification.trimmed import trimmed_entries
from readmodel.store.errors import ModelAbsent
from readmodel.store.formats import format_of
from readmodel.store.lists import is_list, kind_in
from readmodel.store.registers import version_in
from readmodel.store.store import Store
from readmodel.views.kinds import ListOfEvents, Name

ATTEMPTS = 10
"""Comparisons of registers that change all the time. After the last one, they count as right."""
POLL = 0.05
SHOWN_WITHIN = 10.0
"""Seconds. The relay needs a fraction of a second."""
NO_HASH, NO_LIST = "a value that is no hash", "a value that is no list"

Pause = Callable[[float], object]
"""Waits for a number of seconds. It may raise an error to end the comparison."""


class State(Protocol):
    """The state from which the views follow. Each method reads it anew.

    `kind` is "product", "batch", "line" or "event": an event of the log.
    """

    def events_of(self, kind: str, names: Sequence[Name]) -> Mapping[Name, Sequence[Mapping[str, Any]]]:
        """Map each name to events with the state of its row and of its product. Omit names that do not exist."""

    def unknown(self, kind: str, names: Sequence[Name]) -> set[Name]:
        """Return the names that the state does not have. Two further kinds are "order" and "stock": SKU and batch."""


class Difference(NamedTuple):
    """A register or an entry of the live generation that differs from the state.

    None means that it is or should be missing. The key has no generation. If the field is None, the difference concerns
    the whole key. `other_key` is another key in which the register may be. `lists` and `name` are as in Register.
    """

    key: str
    field: str | None
    found: str | None
    expected: str | None
    other_key: str | None = None
    lists: tuple[str, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        place = self.key if self.field is None else f"{self.key} {self.field}"
        return f"{place}: found {shown(self.found)}, expected {shown(self.expected)}"


class ViewsBehind(Exception):
    """The views lag behind the log, so verify can't distinguish a wrong register from a late one."""


class Comparison:
    """Compares registers of one generation with the state."""

    def __init__(
        self,
        store: Store,
        log: Log,
        projection: Projection,
        state: State,
        generation: str,
        pause: Pause = time.sleep,
    ) -> None:
        self._store = store
        self._log = log
        self._projection = projection
        self._state = state
        self.generation = generation
        self._pause = pause

    def differences(self, kind: str, names: Collection[Name]) -> list[Difference]:
        """Return the differences of the registers of these rows. Raise ModelAbsent if the generation is lost."""
        confirmed = list[Difference]()
        before = self._expected(kind, names)
        suspects = self._compare(before)
        for _ in range(ATTEMPTS):
            if not suspects:
                break
            suspected = {before[place].row for place in suspects}
            before = {place: expected for place, expected in before.items() if expected.row in suspected}
            self._wait_until_shown()
            found = self._compare(before)
            later = self._expected(kind, suspected)
            real = {place for place in found if is_real(before[place], later.get(place), found[place])}
            confirmed += [found[place] for place in real]
            before = later
            suspects = {place: found for place, found in self._compare(later).items() if place not in real}
        return confirmed

    def _expected(self, kind: str, names: Collection[Name]) -> dict[Place, Expected]:
        expected: dict[Place, Expected] = {}
        for name, events in self._state.events_of(kind, list(names)).items():
            for write in expected_writes(self._projection, kind, events, format_of(self.generation)):
                expected.update(expected_from(write, name))
        return expected

    def _compare(self, expected: Mapping[Place, Expected]) -> dict[Place, Difference]:
        """Return the registers that differ. If a key is no hash, return one difference for each register in it."""
        wanted: dict[str, list[str]] = defaultdict(list)
        for key, field in expected:
            wanted[key].append(field)
        found = read_fields(self._store.redis, self.generation, wanted)
        differences: dict[Place, Difference] = {}
        for (key, field), one in expected.items():
            fields = found[key]
            stored = other_type(key) if fields is None else fields.get(field)
            if stored != one.value:
                differences[key, field] = Difference(key, field, stored, one.value, *one[3:])
        missing = [place for place, one in differences.items() if one.found is None and self._is_event(*place)]
        for place in trimmed_entries(self._store.redis, self.generation, missing):
            del differences[place]
        return differences

    def _is_event(self, key: str, _: str) -> bool:
        """Return whether the place is an entry in a list of events."""
        kinds = self._projection.kinds(format_of(self.generation))
        return is_list(key) and isinstance(kinds.get(kind_in(key)), ListOfEvents)

    def _wait_until_shown(self) -> None:
        """Wait until the cursors have passed the log's end. Raise ViewsBehind after SHOWN_WITHIN seconds."""
        end, deadline = self._log.end(), time.monotonic() + SHOWN_WITHIN
        while time.monotonic() < deadline:
            cursor = self._store.cursor(self.generation, self._log.identity())
            if cursor is None:
                raise ModelAbsent
            if cursor >= end:
                return
            self._pause(POLL)
        raise ViewsBehind(
            f"The views have not reached position {end} of the log within {SHOWN_WITHIN:.0f} s. "
            "Either no relay works, or a transaction holds the log back"
        )


def other_type(key: str) -> str:
    return NO_LIST if is_list(key) else NO_HASH


def is_real(before: Expected, later: Expected | None, difference: Difference) -> bool:
    """Return whether the view is wrong, given the state before and after it was read. If unsure, return False."""
    if before == later or difference.found in {NO_HASH, NO_LIST}:
        return True
    if later is None or before.value is None or later.value is None or difference.found is None:
        return False  # The register has moved in the meantime.
    version = version_in(difference.found)
    return version is None or not before.version <= version <= later.version


def shown(value: str | None) -> str:
    return "nothing" if value is None else value
