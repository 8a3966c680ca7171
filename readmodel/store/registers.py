"""A register is a field of a view: a state, and the product version that wrote it.

Redis sets a register only if the new version is higher. So late, repeated and unordered events produce the same views.
Writers need no deduplication and no order.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from readmodel.store.errors import ModelDamaged

State = dict[str, Any]
Shape = Mapping[Any, Callable[[Any], bool]]
"""The members that a state must have, by name or by index, each with a check of its value."""

LARGEST = 2**63 - 1
"""The largest number that the log can hold."""
LONGEST_SHOWN = 80


class Register(NamedTuple):
    """A field to set in the hash `key`. The keys do not contain the generation.

    If the field is in the hash `former_key`, it moves to `key`. If `invalidates_cache` is set, readers drop their
    cache. `lists` are the keys of lists that may have the register as an entry `name`: see lists.py. They are in the
    bucket of `key`.
    """

    key: str
    field: str
    version: int
    value: bytes
    former_key: str | None = None
    invalidates_cache: bool = False
    lists: tuple[str, ...] = ()
    name: str = ""


def encode(version: int, state: State | list[Any], *orders: str) -> bytes:
    """Return a register's stored value: the version, its order in each of its lists, a space, and the state as JSON.

    A colon precedes each order. Without them, the register is in no list.
    """
    head = f"{version}:{':'.join(orders)}" if any(orders) else str(version)
    return b"%b %b" % (head.encode(), orjson.dumps(state))


def version_in(value: str) -> int | None:
    """Return the version of a stored value, or None."""
    return number_of(value.partition(" ")[0].partition(":")[0])


def orders_in(value: str) -> list[str]:
    """Return the orders of a stored value. The place of a list among the register's lists is that of its order."""
    return value.partition(" ")[0].split(":")[1:]


def decode(value: str, shape: Shape) -> tuple[int, Any]:
    """Return the version and the state of a stored value.

    Raise ModelDamaged if the value can't be parsed, or if the state lacks a member of the shape.
    """
    try:
        number, state = version_in(value), orjson.loads(value.partition(" ")[2])
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


def state_of(value: str, shape: Shape) -> Any:
    return decode(value, shape)[1]
