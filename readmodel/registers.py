"""A register is a field of a view: a state, and the version of the product that wrote it.

It is set if newer. So applying an event twice, late, or out of order leaves the same views, and nothing needs to be
deduplicated or waited for.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from readmodel import keys

State = dict[str, Any]


class Register(NamedTuple):
    """`home` is the hash that it belongs to; `elsewhere` another one in which it may stand from before."""

    home: str
    field: str
    version: int
    state: State
    elsewhere: str | None = None

    @property
    def value(self) -> str:
        """As stored: the version, a space, the state as JSON."""
        return f"{self.version} {orjson.dumps(self.state).decode()}"


def decode(value: str) -> tuple[int, State]:
    """The version and the state of a stored register."""
    version, _, state = value.partition(" ")
    return int(version), orjson.loads(state)


def state_of(value: str) -> State:
    return decode(value)[1]


def newest(registers: Iterable[Register]) -> Iterable[Register]:
    """Of each register the last state alone: nobody shall read what was true only within a transaction."""
    latest: dict[tuple[str, str], Register] = {}
    for register in registers:
        view = min(register.home, register.elsewhere or register.home)
        identity = (view, register.field)
        known = latest.get(identity)
        if known is None or known.version < register.version:
            latest[identity] = register
    return latest.values()


def by_bucket(registers: Iterable[Register]) -> dict[str, list[Register]]:
    buckets = defaultdict(list)
    for register in registers:
        buckets[keys.bucket_of(register.home)].append(register)
    return buckets
