"""Generations: whole copies of the views, of which one is read. A rebuild fills a new one and switches to it."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

from redis import Redis

from readmodel import keys
from readmodel.registers import Register

DROPPED_AT_ONCE = 1_000


class Generations(NamedTuple):
    """The generation that is read, and another one that is written as well."""

    live: str | None = None
    other: str | None = None

    @classmethod
    def parse(cls, stored: str | None) -> "Generations":
        live, _, other = (stored or "").partition(" ")
        return cls(live or None, other or None)

    def __str__(self) -> str:
        return f"{self.live or ''} {self.other or ''}".rstrip()

    @property
    def written(self) -> list[str]:
        return [generation for generation in self if generation]


def next_name(redis: Redis) -> str:
    return f"g{redis.incr(keys.GENERATION_COUNTER)}"


def swap(redis: Redis, expected: Generations, new: Generations) -> bool:
    """Make `new` known to every reader and writer; False, and nothing, where `expected` is no longer what is known."""
    return bool(redis.fcall("readmodel_swap", 1, keys.GENERATIONS, str(expected), str(new)))


def begin(redis: Redis, generation: str, log: str) -> None:
    """Begin to fill a generation from that log: every bucket is filled up to position 0."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.set(f"{generation}:{keys.LOG}", log)
    for bucket in keys.BUCKETS:
        pipeline.set(f"{generation}:{keys.filled(bucket)}", 0)
    pipeline.execute()


def fill(redis: Redis, generation: str, registers: Iterable[Register], cursor: int, position: int) -> bool:
    """Write registers as they are, into a generation that nobody else reads or writes yet: later ones win.

    False where a bucket is no longer as it was left at `cursor`: something was lost in between.
    """
    homes: dict[str, dict[Any, Any]] = defaultdict(dict)
    pipeline = redis.pipeline(transaction=False)
    for bucket in keys.BUCKETS:
        pipeline.set(f"{generation}:{keys.filled(bucket)}", position, get=True)
    for register in registers:
        homes[register.home][register.field] = register.value
        if register.elsewhere is not None:
            pipeline.hdel(f"{generation}:{register.elsewhere}", register.field)
    for home, fields in homes.items():
        pipeline.hset(f"{generation}:{home}", mapping=fields)
    return set(pipeline.execute()[: len(keys.BUCKETS)]) == {str(cursor)}


def open_for_writers(redis: Redis, generation: str) -> None:
    """Turn the position that each bucket is filled up to into its cursor: from now on registers are taken."""
    pipeline = redis.pipeline(transaction=False)
    for bucket in keys.BUCKETS:
        pipeline.rename(f"{generation}:{keys.filled(bucket)}", f"{generation}:{keys.cursor(bucket)}")
    pipeline.execute()


def drop_all_but(redis: Redis, live: str | None) -> None:
    """Delete every other generation, its cursors first: a writer that still knows of it writes nothing to it then."""
    dropped: set[str] = set()
    found = redis.scan_iter(match="g[0-9]*:{[0-9][0-9]}:*", count=DROPPED_AT_ONCE)
    while chunk := list(islice(found, DROPPED_AT_ONCE)):
        doomed = [key for key in chunk if generation_of(key) != live]
        for generation in set(map(generation_of, doomed)) - dropped:
            delete(redis, [f"{generation}:{keys.cursor(bucket)}" for bucket in keys.BUCKETS])
            dropped.add(generation)
        delete(redis, doomed)


def delete(redis: Redis, names: Iterable[str]) -> None:
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.unlink(name)
    pipeline.execute()


def generation_of(key: str) -> str:
    return key.partition(":")[0]
