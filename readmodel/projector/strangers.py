"""Finds what the state does not have: registers of unknown rows, strange keys, and dead generations.

A view never shows a row before its commit, and no row is ever deleted. So this module reads the state after the views.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

from redis import Redis

from readmodel.projector.differences import NO_HASH, Difference, Name, State
from readmodel.projector.hashes import Fields, scan_fields
from readmodel.store import keys
from readmodel.store.generations import generation_of, is_generation
from readmodel.store.store import Store
from readmodel.views.batches import STATE
from readmodel.views.products import TOTALS

SCANNED_AT_ONCE = 500
VIEW_KEY = re.compile(r"\{\d\d\}:(order|product|used-up|batch):(.+)", re.DOTALL)
IN_PRODUCT = "batch:"
DEAD = "a generation that no process uses"

Row = tuple[str, Name]
"""The kind of a row, and its name. Of "stock", the name is a SKU and the reference of a batch of this product."""


class Part(NamedTuple):
    """The differences of some fields, the places of the keys that have more fields, and the number of these fields."""

    differences: list[Difference]
    more: dict[str, int]
    registers: int


def strangers(redis: Redis, state: State, generation: str, places: Mapping[str, int], count: int) -> Part:
    """Return a difference for each key or field that must not exist.

    Read about `count` fields of each key. `places` maps each key to the cursor of its scan, at first 0.
    """
    views = {key: cursor for key, cursor in places.items() if is_view_key(key)}
    found, more = scan_fields(redis, generation, views, count)
    strange = [
        Difference(key, None, "a key that is no view", None) for key in places.keys() - views - keys.ORGANISING_KEYS
    ]
    return Part(
        [*strange, *ghosts(found, state)], more, len(strange) + sum(len(fields or ()) for fields in found.values())
    )


def scan_keys(redis: Redis, generation: str, cursor: int) -> tuple[int, list[str]]:
    """Return the next cursor of a scan, and some keys of the generation. The first and last cursor are 0."""
    following, found = redis.scan(cursor, match=f"{generation}:{{*", count=SCANNED_AT_ONCE)
    return following, [key.removeprefix(f"{generation}:") for key in cast("list[str]", found)]


def ghosts(found: Mapping[str, Fields | None], state: State) -> Iterator[Difference]:
    """Yield a difference for each field whose row does not exist, and for each key of another type without a row."""
    registers = {(key, field): row_of(key, field) for key, fields in found.items() for field in fields or ()}
    no_hashes = {key: row_of_key(key) for key, fields in found.items() if fields is None}
    rows = [row for row in (*registers.values(), *no_hashes.values()) if row is not None]
    unknown = unknown_rows(rows, state)
    for (key, field), row in registers.items():
        if row is None or row in unknown:
            yield Difference(key, field, (found[key] or {})[field], None)
    for key, row in no_hashes.items():
        if row in unknown:
            yield Difference(key, None, NO_HASH, None)


def is_view_key(key: str) -> bool:
    """Return whether a view has such a key. Its bucket must be that of its name."""
    match = VIEW_KEY.fullmatch(key)
    return match is not None and is_possible((match[2],)) and keys.view_key(match[1], match[2]) == key


def row_of(key: str, field: str) -> Row | None:
    """Return the row that a register describes, or None if no view has such a field. The key is that of a view."""
    _, kind, name = key.split(":", 2)
    if kind == "order":
        return "line", (name, field)
    if kind == "batch":
        return ("batch", (name,)) if field == STATE else None
    if field == TOTALS and kind == "product":
        return "product", (name,)
    return ("stock", (name, field.removeprefix(IN_PRODUCT))) if field.startswith(IN_PRODUCT) else None


def row_of_key(key: str) -> Row:
    """Return a row that must exist if this key of a view exists."""
    _, kind, name = key.split(":", 2)
    return ("product" if kind == "used-up" else kind), (name,)


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
    text = "".join(name)
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
