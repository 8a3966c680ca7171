"""A register is a field of a view: a state, and the product version that wrote it.

Redis sets a register only if the new version is higher. So late, repeated and unordered events produce the same views.
Writers need no deduplication and no order.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, NamedTuple

import orjson

from readmodel.store import keys
from readmodel.store.errors import ModelDamaged

State = dict[str, Any]
Shape = Mapping[str, type | UnionType]
"""The members that a state must have, and their types."""

LONGEST_SHOWN = 80


class Register(NamedTuple):
    """A field to set in the hash `key`. The keys do not contain the generation.

    If the field is in the hash `former_key`, it moves to `key`. If `invalidates_cache` is set, readers drop their
    cache.
    """

    key: str
    field: str
    version: int
    value: bytes
    former_key: str | None = None
    invalidates_cache: bool = False


def encode(version: int, state: State) -> bytes:
    """Return a register's stored value: the version, a space, and the state as JSON."""
    return b"%d %b" % (version, orjson.dumps(state))


def decode(value: str, shape: Shape) -> tuple[int, State]:
    """Return the version and the state of a stored value. Raises ModelDamaged if the state lacks the shape."""
    version, _, text = value.partition(" ")
    try:
        state = orjson.loads(text)
        if all(isinstance(state[name], types) for name, types in shape.items()):
            return int(version), state
    except (ValueError, LookupError, TypeError):
        pass
    raise ModelDamaged(f"a register can't be parsed: {value[:LONGEST_SHOWN]!r}")


def state_of(value: str, shape: Shape) -> State:
    return decode(value, shape)[1]


def by_bucket(registers: Iterable[Register]) -> dict[str, list[Register]]:
    buckets = defaultdict(list)
    for register in registers:
        buckets[keys.bucket_of(register.key)].append(register)
    return buckets
