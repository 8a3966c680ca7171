"""Finds keys and fields of the views that the state does not have: ghosts, strange keys, and dead generations."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TypeVar, cast

from readmodel.projector.differences import NO_HASH, Comparison, Difference, State, kind_of
from readmodel.store import keys
from readmodel.store.generations import generation_of, is_generation
from readmodel.store.store import Store

SCANNED_AT_ONCE = 500
VIEW_KEY = re.compile(r"\{\d\d\}:(order|product|used-up|batch):.+", re.DOTALL)
STATE_OF = {"order": "order", "product": "product", "used-up": "product", "batch": "batch"}
ORGANISING_KEYS = {keys.LOG} | {keys.cursor(bucket) for bucket in keys.BUCKETS}

T = TypeVar("T")


def strangers(store: Store, comparison: Comparison, state: State, generation: str) -> Iterator[Difference]:
    """Yield a difference for each key or field that must not exist in this generation.

    A view never shows a line, a product or a batch before its commit. So this function reads the state after the views.
    """
    scan = store.redis.scan_iter(match=f"{generation}:*", count=SCANNED_AT_ONCE)
    while chunk := list(islice(scan, SCANNED_AT_ONCE)):
        found = [key.removeprefix(f"{generation}:") for key in chunk]
        views = [key for key in found if VIEW_KEY.fullmatch(key)]
        for key in set(found) - set(views) - ORGANISING_KEYS:
            yield Difference(key, None, "a key that is no view", None)
        yield from ghosts(comparison.read(views), state)


def ghosts(found: Mapping[str, dict[str, str] | None], state: State) -> Iterator[Difference]:
    names: dict[str, set[str]] = defaultdict(set)
    for key in found:
        names[STATE_OF[kind_of(key)]].add(name_of(key))
    unknown = {kind: unknown_of(names[kind], partial(state.unknown, kind)) for kind in names}
    lines = {
        (name_of(key), field) for key, fields in found.items() if kind_of(key) == "order" for field in fields or ()
    }
    unknown_lines = unknown_of(lines, state.unknown_lines)
    for key, fields in found.items():
        is_unknown = name_of(key) in unknown[STATE_OF[kind_of(key)]]
        if fields is None and is_unknown:
            yield Difference(key, None, NO_HASH, None)
        for field, value in (fields or {}).items():
            if is_unknown or (name_of(key), field) in unknown_lines:
                yield Difference(key, field, value, None)


def unknown_of(names: set[T], find: Callable[[Sequence[T]], set[T]]) -> set[T]:
    """Return the names that the state does not have. It can't have a name that is not UTF-8 or contains NUL."""
    possible = [name for name in names if is_possible(name)]
    return names - set(possible) | (find(possible) if possible else set())


def is_possible(name: object) -> bool:
    text = "".join(name) if isinstance(name, tuple) else str(name)
    return "\0" not in text and text.encode(errors="surrogateescape") == text.encode(errors="replace")


def dead_generations(store: Store) -> Iterator[Difference]:
    """Yield a difference for each generation that no process uses. The caller holds the rebuild lock."""
    used, dead = store.generations().written, set[str]()
    pattern = store.names.generation("[0-9]*:{[0-9][0-9]}:*")
    for key in store.redis.scan_iter(match=pattern, count=SCANNED_AT_ONCE):
        generation = generation_of(cast("str", key))
        if generation not in used and generation not in dead and is_generation(generation, store.names):
            dead.add(generation)
            yield Difference(f"{generation}:*", None, "a generation that no process uses", None)


def name_of(key: str) -> str:
    return key.split(":", 2)[2]
