"""A register is a field of a view: a state, and the version of the product that wrote it.

It is set if newer. So applying an event twice, late, or out of order leaves the same views, and nothing needs to be
deduplicated or waited for.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from readmodel.store import keys

State = dict[str, Any]


class Register(NamedTuple):
    """`home` is the hash that it belongs to; `elsewhere` another one in which it may stand from before.

    It says whether readers are to `forget` what they remember of it.
    """

    home: str
    field: str
    version: int
    value: bytes
    elsewhere: str | None = None
    forget: bool = False


def encode(version: int, state: State) -> bytes:
    """The value of a register, as stored: the version, a space, the state as JSON."""
    return b"%d %b" % (version, orjson.dumps(state))


def decode(value: str) -> tuple[int, State]:
    """The version and the state of a stored register."""
    version, _, state = value.partition(" ")
    return int(version), orjson.loads(state)


def state_of(value: str) -> State:
    return decode(value)[1]


def by_bucket(registers: Iterable[Register]) -> dict[str, list[Register]]:
    buckets = defaultdict(list)
    for register in registers:
        buckets[keys.bucket_of(register.home)].append(register)
    return buckets
