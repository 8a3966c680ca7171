"""A reading is a generator: it yields the commands that it needs, and receives their replies.

It does no I/O of its own. So the same view functions serve threads, and the event loop, where queries share trips.
"""

import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

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
    cache_token: str | None
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
"""Starts or continues a reading until it needs a trip."""


class Finished(NamedTuple, Generic[T]):
    result: T


def common_commands(names: Names) -> list[RedisCommand]:
    """Return the commands whose replies are the last members of a Trip."""
    return [
        ("GET", names.cache_token),
        ("GET", names.heartbeat),
        ("INFO", "replication"),
        ("TIME",),
        ("GET", names.generations),
    ]


def step(act: Act) -> "Wanted | Finished[Any]":
    """Run the reading until it needs a trip or has its result. Raise its error."""
    try:
        return act()
    except StopIteration as end:
        return Finished(end.value)


def complete(reading: Reading[T], exchange: Callable[[Sequence[RedisCommand]], Trip]) -> T:
    """Return the result of the reading. `exchange` makes its round trips, in the calling thread."""
    act: Act = partial(next, reading)
    while not isinstance(wanted := step(act), Finished):
        if wanted.delay:
            time.sleep(wanted.delay)
        try:
            act = partial(reading.send, exchange(wanted.commands))
        except (RedisError, ModelDamaged) as error:
            act = partial(reading.throw, error)
    result: T = wanted.result
    return result
