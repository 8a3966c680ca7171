"""Finds what the state does not have: registers of unknown rows, strange keys and entries, and dead generations.

A view never shows a row before its commit, and no row is ever deleted. So this module reads the state after the views.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, cast

from redis import Redis

from readmodel.projector.fold import Projection
from readmodel.projector.verification.differences import NO_HASH, NO_LIST, Difference, State
from readmodel.projector.verification.hashes import Fields, scan_fields, stored_name
from readmodel.projector.verification.stray_entries import StrayEntries, ViewKey
from readmodel.store import keys
from readmodel.store.formats import format_of
from readmodel.store.generations import generation_of, is_generation
from readmodel.store.lists import list_key
from readmodel.store.store import Store
from readmodel.views.kinds import Kind, ListOfRegisters, Name, Registers, Row

SCANNED_AT_ONCE = 500
KEY = re.compile(r"\{\d\d\}:(list:)?([a-z-]+):(.*)", re.DOTALL)
DEAD = "a generation that no process uses"


class Part(NamedTuple):
    """The differences of some fields, the places of the keys that have more fields, and the number of these fields."""

    differences: list[Difference]
    more: dict[str, int]
    registers: int


def strangers(
    redis: Redis, state: State, projection: Projection, generation: str, places: Mapping[str, int], count: int
) -> Part:
    """Return a difference for each key, field or entry that must not exist.

    Read about `count` fields of each key. `places` maps each key to the cursor of its scan, at first 0.
    """
    kinds = projection.kinds(format_of(generation))
    views = {key: view for key in places if (view := view_of(key, kinds)) is not None}
    found, more = scan_fields(redis, generation, {key: places[key] for key in views}, count)
    strange = [
        Difference(key, None, "a key that is no view", None)
        for key in existing(redis, generation, sorted(places.keys() - views - keys.ORGANISING_KEYS))
    ]
    hashes = {
        key: ViewKey(view.kind, view.identifier) for key, view in views.items() if isinstance(view.kind, Registers)
    }
    lists = {key: view for key, view in views.items() if key not in hashes}
    differences = [
        *strange,
        *ghosts(found, hashes, state),
        *(Difference(key, None, NO_LIST, None) for key in lists if found[key] is None),
        *StrayEntries(redis, state, projection, generation).find(lists, found),
    ]
    return Part(differences, more, len(strange) + sum(len(fields or ()) for fields in found.values()))


def scan_keys(redis: Redis, generation: str, cursor: int) -> tuple[int, list[str]]:
    """Return the next cursor of a scan, and some keys of the generation. The first and last cursor are 0."""
    following, found = redis.scan(cursor, match=f"{generation}:{{*", count=SCANNED_AT_ONCE)
    return following, [key.removeprefix(f"{generation}:") for key in cast("list[str]", found)]


def existing(redis: Redis, generation: str, names: Sequence[str]) -> list[str]:
    """Return the keys that exist. After a switch, the names may be those of the former generation."""
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.exists(stored_name(generation, name))
    return [name for name, exists in zip(names, pipeline.execute(), strict=True) if exists]


def ghosts(
    found: Mapping[str, Fields | None], hashes: Mapping[str, ViewKey[Registers]], state: State
) -> Iterator[Difference]:
    """Yield a difference for each field whose row does not exist, and for each key of another type without a row."""
    registers = {
        (key, field): view.kind.row_of(view.identifier, field)
        for key, view in hashes.items()
        for field in found[key] or ()
    }
    no_hashes = {key: view.kind.row_of_key(view.identifier) for key, view in hashes.items() if found[key] is None}
    rows = [row for row in (*registers.values(), *no_hashes.values()) if row is not None]
    unknown = unknown_rows(rows, state)
    for (key, field), row in registers.items():
        if row is None or row in unknown:
            yield Difference(key, field, (found[key] or {})[field], None)
    for key, row in no_hashes.items():
        if row in unknown:
            yield Difference(key, None, NO_HASH, None)


def view_of(key: str, kinds: Mapping[str, Kind]) -> "ViewKey[Kind] | None":
    """Return the kind and the identifier of a view's key, or None if no view has such a key in this bucket."""
    match = KEY.fullmatch(key)
    kind = match and kinds.get(match[2])
    if not match or not kind or not is_possible((match[3],)):
        return None
    is_hash, bucket, identifier = isinstance(kind, Registers), keys.bucket_of(key), match[3]
    if isinstance(kind, ListOfRegisters) and (kind.row_of_key(identifier) is None) != (identifier == ""):
        return None
    is_there = bucket in keys.BUCKETS if isinstance(kind, ListOfRegisters) else bucket == keys.bucket_for(identifier)
    return ViewKey(kind, identifier) if is_there and is_hash == (match[1] is None) else None


def keys_of(row: Row, kinds: Mapping[str, Kind]) -> list[str]:
    """Return the keys that views may have for this product or this order alone."""
    [identifier] = map(str, row[1])
    found = list[str]()
    for name, kind in kinds.items():
        if kind.row_of_key(identifier) != row:
            continue
        if isinstance(kind, Registers):
            found.append(keys.view_key(name, identifier))
        else:
            buckets = keys.BUCKETS if isinstance(kind, ListOfRegisters) else [keys.bucket_for(identifier)]
            found += [list_key(name, bucket, identifier) for bucket in buckets]
    return found


def shared_lists(row: Row, kinds: Mapping[str, Kind]) -> list[str]:
    """Return the lists in which this product may be one of many."""
    [identifier] = map(str, row[1])
    return [
        list_key(name, keys.bucket_for(identifier))
        for name, kind in kinds.items()
        if isinstance(kind, ListOfRegisters) and not kind.row_of_key(identifier) and kind.row_of("", identifier) == row
    ]


def unknown_rows(rows: list[Row], state: State) -> set[Row]:
    """Return the rows that the state does not have. No row has a name that contains NUL or is not UTF-8."""
    names: dict[str, set[Name]] = defaultdict(set)
    for kind, name in rows:
        names[kind].add(name)
    unknown = set[Row]()
    for kind, all_names in names.items():
        possible = [name for name in all_names if is_possible(name)]
        missing = (all_names - set(possible)) | state.unknown(kind, possible)
        unknown |= {(kind, name) for name in missing}
    return unknown


def is_possible(name: Name) -> bool:
    text = "".join(map(str, name))
    return "\0" not in text and text.encode(errors="surrogateescape") == text.encode(errors="replace")


def dead_generations(store: Store) -> Iterator[Difference]:
    """Yield a difference for each generation that no process uses. The caller holds the rebuild lock."""
    used, dead = store.generations().written, set[str]()
    pattern = store.names.generation("[0-9]*:{[0-9][0-9]}:*")
    for key in store.redis.scan_iter(match=pattern, count=SCANNED_AT_ONCE):
        generation = generation_of(cast("str", key))
        if generation not in used and generation not in dead and is_generation(generation, store.names):
            dead.add(generation)
            yield Difference(f"{generation}:*", None, DEAD, None)
