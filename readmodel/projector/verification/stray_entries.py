"""Finds and corrects the entries of lists that do not follow from a register or from an event."""

from collections.abc import Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

from redis import Redis

from readmodel.projector.fold import Projection
from readmodel.projector.verification.differences import Difference, State
from readmodel.projector.verification.hashes import LISTED, Fields, read_fields, stored_name
from readmodel.store import keys
from readmodel.store.errors import ModelDamaged
from readmodel.store.formats import format_of
from readmodel.store.functions import STORED, relist_command
from readmodel.store.lists import Entry, ListEntry, entries_of, member, parse_entry
from readmodel.store.registers import Register, orders_in
from readmodel.store.store import Store
from readmodel.views.kinds import Kind, ListOfEvents, ListOfRegisters

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


def stray_entries(
    redis: Redis,
    state: State,
    projection: Projection,
    generation: str,
    lists: Mapping[str, ViewKey[Kind]],
    found: Mapping[str, Fields | None],
) -> Iterator[Difference]:
    """Yield a difference for each entry in `found` that must not be in its list."""
    for key, view in lists.items():
        members = list(found[key] or ())
        if isinstance(view.kind, ListOfEvents):
            strays = without_event(state, projection, generation, key, members, view.kind)
        else:
            strays = without_register(redis, state, projection, generation, key, members, view)
        yield from (Difference(key, stray, LISTED, None) for stray in strays)


def without_event(
    state: State, projection: Projection, generation: str, key: str, members: list[str], kind: ListOfEvents
) -> list[str]:
    """Return the entries that do not follow from an event of the log."""
    names = {stored: name for stored in members if (name := name_of_event(stored, kind)) is not None}
    logged = state.events_of("event", list(set(names.values()))) if names else {}
    events = [event for events in logged.values() for event in events]
    writes = projection.fold(events, format_of(generation))
    expected = {(write.key, write.member.decode()) for write in writes if isinstance(write, Entry)}
    return [stored for stored in members if (key, stored) not in expected]


def name_of_event(stored: str, kind: ListOfEvents) -> tuple[str | int, ...] | None:
    entry = parsed(stored)
    try:
        return None if entry is None or "\0" in entry.name else kind.event_of(entry)
    except ModelDamaged:
        return None


def without_register(
    redis: Redis,
    state: State,
    projection: Projection,
    generation: str,
    key: str,
    members: list[str],
    view: ViewKey[Kind],
) -> list[str]:
    """Return the entries that differ from their registers. Look twice, because a writer may replace both meanwhile.

    Omit an entry that is as the state says: then only its register is wrong.
    """
    places = {stored: place_of(key, stored, view) for stored in members}
    wanted: dict[str, list[str]] = {}
    for place in places.values():
        if place is not None:
            wanted.setdefault(place.key, []).append(place.field)
    registers = read_fields(redis, generation, wanted)
    strays = []
    for stored, place in places.items():
        value = (registers[place.key] or {}).get(place.field) if place else None
        if not is_entry_of(value, place, stored) and is_stray(redis, generation, key, stored, place):
            strays.append(stored)
    return [stored for stored in strays if not follows_from_state(state, projection, generation, key, stored, view)]


def follows_from_state(
    state: State, projection: Projection, generation: str, key: str, stored: str, view: ViewKey[Kind]
) -> bool:
    """Return whether the list must have the entry, according to the row of its register."""
    entry, target = parsed(stored), format_of(generation)
    if entry is None or not isinstance(view.kind, ListOfRegisters):
        return False
    kind, name = view.kind.row_of(view.identifier, entry.name)
    writes = (write for events in state.events_of(kind, [name]).values() for write in projection.fold(events, target))
    registers = (write for write in writes if isinstance(write, Register))
    return any((key, stored) in entries_of(one.lists, one.name, one.value.decode()) for one in registers)


def is_stray(redis: Redis, generation: str, key: str, stored: str, place: Place | None) -> bool:
    """Return whether the list still has the entry, and its register does not. Read both at the same time."""
    if place is None:
        return True
    pipeline = redis.pipeline(transaction=True)
    pipeline.zscore(stored_name(generation, key), stored.encode(errors=STORED))
    pipeline.hget(stored_name(generation, place.key), place.field)
    score, value = pipeline.execute(raise_on_error=False)
    return score is not None and not is_entry_of(value if isinstance(value, str) else None, place, stored)


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
    return bool(store.redis.zadd(name, {content: 0}))
