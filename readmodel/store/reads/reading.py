"""A reading is a generator: it yields the commands that it needs, and receives their replies.

It does no I/O of its own. So the same view functions serve threads, and the event loop, where queries share trips.
"""

import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from redis.exceptions import RedisError

from readmodel.store.connection import RedisCommand
from readmodel.store.errors import ModelDamaged
from readmodel.store.names import Names

T = TypeVar("T")


class Trip(NamedTuple):
    """The replies of one round trip: first those to the commands of the reading, then those that every reading needs.

    Redis has read the generations last. If a generation is still live there, the earlier replies are valid.
    """

    replies: Sequence[Any]
    token: str | None
    heartbeat: str | None
    replication: str
    time: Sequence[str]
    generations: str | None


class Wanted(NamedTuple):
    """The commands that a reading needs next, after `delay` seconds. Redis may execute them twice."""

    commands: Sequence[RedisCommand] = ()
    delay: float = 0.0


Reading = Generator[Wanted, Trip, T]
"""Returns its result. If a trip fails, the reading receives a RedisError, or ModelDamaged for a key of a wrong type."""

Act = Callable[[], Wanted]


def common_commands(names: Names) -> list[RedisCommand]:
    """Return the commands whose replies are the last members of a Trip."""
    return [
        ("GET", names.cache_token),
        ("GET", names.heartbeat),
        ("INFO", "replication"),
        ("TIME",),
        ("GET", names.generations),
    ]


def complete(reading: Reading[T], exchange: Callable[[Sequence[RedisCommand]], Trip], first: Trip | None = None) -> T:
    """Return the result of the reading. `exchange` makes its round trips, in the calling thread.

    If the reading has begun, `first` is the trip that it waits for.
    """
    act: Act = partial(next, reading) if first is None else partial(reading.send, first)
    try:
        while True:
            wanted = act()
            if wanted.delay:
                time.sleep(wanted.delay)
            try:
                act = partial(reading.send, exchange(wanted.commands))
            except (RedisError, ModelDamaged) as error:
                act = partial(reading.throw, error)
    except StopIteration as end:
        result: T = end.value
        return result
