"""A register is a field of a view: a state, and the product version that wrote it.

Redis sets a register only if the new version is higher. So late, repeated and unordered events produce the same views.
Writers need no deduplication and no order.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from readmodel.store import keys

State = dict[str, Any]


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


def decode(value: str) -> tuple[int, State]:
    """Return the version and the state of a stored value."""
    version, _, state = value.partition(" ")
    return int(version), orjson.loads(state)


def state_of(value: str) -> State:
    return decode(value)[1]


def by_bucket(registers: Iterable[Register]) -> dict[str, list[Register]]:
    buckets = defaultdict(list)
    for register in registers:
        buckets[keys.bucket_of(register.key)].append(register)
    return buckets
