"""Finds and corrects the entries of lists that do not follow from a register or from an event."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

from redis import Redis

from readmodel.projector.faulty_events import fold_items, fold_state
from readmodel.projector.fold import Projection
from readmodel.projector.verification.differences import Difference, State
from readmodel.projector.verification.hashes import LISTED, Fields, read_fields, results, stored_name
from readmodel.store import keys
from readmodel.store.errors import ModelDamaged
from readmodel.store.formats import format_of
from readmodel.store.functions import STORED, relist_command
from readmodel.store.lists import Entry, ListEntry, entries_of, member, parse_entry
from readmodel.store.registers import Register, orders_in
from readmodel.store.store import Store
from readmodel.views.kinds import Kind, ListOfEvents, ListOfRegisters, Name

K = TypeVar("K", bound=Kind, covariant=True)


class ViewKey(NamedTuple, Generic[K]):
    """A key of a view: its kind, and the SKU, the order id or the reference in it."""

    kind: K
    identifier: str


class Place(NamedTuple):
    """The register of an entry: its key and its field. `number` is the place of the list among its lists, from 1."""

    key: str
    field: str
    number: int


class StrayEntries:
    """Finds the entries of one generation that must not be in their lists."""

    def __init__(self, redis: Redis, state: State, projection: Projection, generation: str) -> None:
        self._redis = redis
        self._state = state
        self._projection = projection
        self._generation = generation

    def find(self, lists: Mapping[str, ViewKey[Kind]], found: Mapping[str, Fields | None]) -> Iterator[Difference]:
        """Yield a difference for each stray entry in `found`, and for those that a full list of events should trim."""
        of_events: dict[str, ListOfEvents] = {}
        of_registers: dict[str, ViewKey[ListOfRegisters]] = {}
        for key, view in lists.items():
            if isinstance(view.kind, ListOfEvents):
                of_events[key] = view.kind
            elif isinstance(view.kind, ListOfRegisters):
                of_registers[key] = ViewKey(view.kind, view.identifier)
        for key, stored in (
            *self._without_event(of_events, found),
            *self._beyond_limit(of_events),
            *self._without_register(of_registers, found),
        ):
            yield Difference(key, stored, LISTED, None)

    def _without_event(
        self, lists: Mapping[str, ListOfEvents], found: Mapping[str, Fields | None]
    ) -> Iterator[tuple[str, str]]:
        members = [(key, stored) for key in lists for stored in found[key] or ()]
        names = {name for key, stored in members if (name := name_of_event(stored, lists[key])) is not None}
        events_of = self._state.events_of("event", list(names)).items()
        folded = fold_items(self._projection, list(events_of), lambda item: item[1][0], format_of(self._generation))
        expected = {(write.key, write.member.decode()) for write in folded.writes if isinstance(write, Entry)}
        # The state of a line may have written the entry of an event that the views can't apply.
        faulty = {name for (name, _), _ in folded.faulty}
        return (
            (key, stored)
            for key, stored in members
            if (key, stored) not in expected and name_of_event(stored, lists[key]) not in faulty
        )

    def _beyond_limit(self, lists: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield the first entries of each list of events that has more entries than it keeps."""
        kept, pipeline = format_of(self._generation).kept, self._redis.pipeline(transaction=False)
        for key in lists:
            pipeline.zrange(stored_name(self._generation, key), 0, -kept - 1)
        for key, surplus in zip(lists, results(pipeline), strict=True):
            yield from ((key, stored) for stored in surplus or ())

    def _without_register(
        self, lists: Mapping[str, ViewKey[ListOfRegisters]], found: Mapping[str, Fields | None]
    ) -> Iterator[tuple[str, str]]:
        """Yield the entries that differ from their registers, unless only the register is wrong."""
        places = {
            (key, stored): place_of(key, stored, view) for key, view in lists.items() for stored in found[key] or ()
        }
        wanted: dict[str, list[str]] = defaultdict(list)
        for place in places.values():
            if place is not None:
                wanted[place.key].append(place.field)
        registers = read_fields(self._redis, self._generation, wanted)
        for (key, stored), place in places.items():
            value = (registers[place.key] or {}).get(place.field) if place else None
            is_suspect = not is_entry_of(value, place, stored)
            if is_suspect and self._is_stray(key, stored, place) and not self._follows(key, stored, lists[key]):
                yield key, stored

    def _is_stray(self, key: str, stored: str, place: Place | None) -> bool:
        """Return whether the list still has the entry, and its register does not. Read both at the same time."""
        if place is None:
            return True
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.zscore(stored_name(self._generation, key), stored.encode(errors=STORED))
        pipeline.hget(stored_name(self._generation, place.key), place.field)
        score, value = results(pipeline)
        return score is not None and not is_entry_of(value, place, stored)

    def _follows(self, key: str, stored: str, view: ViewKey[ListOfRegisters]) -> bool:
        """Return whether the list must have the entry, according to the row of its register."""
        entry, target = parsed(stored), format_of(self._generation)
        if entry is None:
            return False
        kind, name = view.kind.row_of(view.identifier, entry.name)
        events = [event for events in self._state.events_of(kind, [name]).values() for event in events]
        registers = (write for write in fold_state(self._projection, events, target) if isinstance(write, Register))
        return any((key, stored) in entries_of(one.lists, one.name, one.value.decode()) for one in registers)


def name_of_event(stored: str, kind: ListOfEvents) -> Name | None:
    entry = parsed(stored)
    try:
        return None if entry is None else kind.event_of(entry)
    except ModelDamaged:
        return None


def is_entry_of(value: str | None, place: Place | None, stored: str) -> bool:
    """Return whether a register with this value has this entry."""
    entry = parsed(stored)
    if value is None or place is None or entry is None:
        return False
    orders = orders_in(value)
    order = orders[place.number - 1] if place.number <= len(orders) else ""
    return order != "" and member(order, entry.name, value) == stored


def place_of(key: str, stored: str, view: ViewKey[Kind]) -> Place | None:
    """Return the register of an entry, or None if no register of this bucket can have it."""
    entry = parsed(stored)
    if entry is None or not isinstance(view.kind, ListOfRegisters):
        return None
    place = Place(*view.kind.register_of(view.identifier, entry.name), view.kind.number)
    return place if keys.bucket_of(place.key) == keys.bucket_of(key) else None


def parsed(stored: str) -> ListEntry | None:
    """Return the entry, or None if no view has written it."""
    try:
        stored.encode()
        return parse_entry(stored)
    except (ModelDamaged, UnicodeEncodeError):
        return None


def repair_entry(store: Store, generation: str, difference: Difference, view: ViewKey[Kind]) -> bool:
    """Correct an entry as its register says, or as the log says. Return whether this call changed the list."""
    key, stored = difference.key, difference.field or ""
    name, content = stored_name(generation, key), stored.encode(errors=STORED)
    place = place_of(key, stored, view)
    if place is not None:
        return bool(store.redis.execute_command(*relist_command(store.names, generation, key, stored, *place)))
    if difference.expected is None:
        return bool(store.redis.zrem(name, content))
    pipeline = store.redis.pipeline(transaction=True)
    pipeline.zadd(name, {content: 0})
    pipeline.zremrangebyrank(name, 0, -format_of(generation).kept - 1)
    return bool(pipeline.execute()[0])
