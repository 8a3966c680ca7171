"""A register is a field of a view: a state, and the product version that wrote it.

Redis sets a register only if the new version is higher. So late, repeated and unordered events produce the same views.
Writers need no deduplication and no order.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from readmodel.store import keys
from readmodel.store.errors import ModelDamaged

State = dict[str, Any]
Shape = Mapping[str, Callable[[Any], bool]]
"""The members that a state must have, each with a check of its value."""

LARGEST = 2**63 - 1
"""The largest number that the log can hold."""
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
    """Return the version and the state of a stored value.

    Raise ModelDamaged if the value can't be parsed, or if the state lacks a member of the shape.
    """
    version, _, text = value.partition(" ")
    try:
        number, state = number_of(version), orjson.loads(text)
        if number is not None and has_shape(state, shape):
            return number, state
    except ValueError:
        pass
    raise ModelDamaged(f"a register can't be parsed: {value[:LONGEST_SHOWN]!r}")


def number_of(text: str) -> int | None:
    """Return the number that PostgreSQL, Lua and Python all read from the text, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(LARGEST)) else None


def has_shape(state: Any, shape: Shape) -> bool:
    try:
        return all(is_valid(state[name]) for name, is_valid in shape.items())
    except (LookupError, TypeError):
        return False


def is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_text_or_null(value: Any) -> bool:
    return value is None or isinstance(value, str)


def state_of(value: str, shape: Shape) -> State:
    return decode(value, shape)[1]


def by_bucket(registers: Iterable[Register]) -> dict[str, list[Register]]:
    buckets = defaultdict(list)
    for register in registers:
        buckets[keys.bucket_of(register.key)].append(register)
    return buckets
