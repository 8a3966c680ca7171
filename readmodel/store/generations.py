"""Generations: complete copies of the views, one of which is live. A rebuild fills a new one and switches to it."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple
from uuid import uuid4

from redis import Redis

from readmodel.store import functions, keys
from readmodel.store.connection import Command, PackedCommands, ThreadConnection, pack
from readmodel.store.registers import Register

DROPPED_AT_ONCE = 1_000


class Generations(NamedTuple):
    """The generation that readers use, and another one that is also written."""

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


def new_name(redis: Redis) -> str:
    return f"g{redis.incr(keys.GENERATION_COUNTER)}"


def swap(redis: Redis, expected: Generations, new: Generations) -> bool:
    """Announce `new` to all readers and writers. Return False and do nothing if `expected` is out of date."""
    return functions.swap(redis, keys.GENERATIONS, str(expected), str(new))


def begin_filling(redis: Redis, generation: str, log: str) -> None:
    """Create the buckets of a generation from this log, each filled up to position 0."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.set(f"{generation}:{keys.LOG}", log)
    pipeline.set(keys.CACHE_TOKEN, uuid4().hex)  # A generation before a flush may have had the same name.
    for bucket in keys.BUCKETS:
        pipeline.set(f"{generation}:{keys.filled(bucket)}", 0)
    pipeline.execute()


def pack_page(generation: str, registers: Iterable[Register], position: int) -> PackedCommands:
    """Return the commands that write registers without comparing versions: later ones win.

    They set the position of each bucket and return its former one, so that `write_page` notices a loss.
    """
    fields_of: dict[str, list[str | bytes]] = defaultdict(list)
    moved_from: dict[str, list[str]] = defaultdict(list)
    for key, field, _, value, former_key, _ in registers:
        fields_of[key] += (field, value)
        if former_key is not None:
            moved_from[former_key].append(field)
    commands: list[Command] = [
        ("SET", f"{generation}:{keys.filled(bucket)}", position, "GET") for bucket in keys.BUCKETS
    ]
    commands += [("HDEL", f"{generation}:{key}", *fields) for key, fields in moved_from.items()]
    commands += [("HSET", f"{generation}:{key}", *fields) for key, fields in fields_of.items()]
    return pack(commands)


def write_page(connection: ThreadConnection, page: PackedCommands, cursor: int) -> bool:
    """Write a page to a generation that nobody else uses yet.

    Return False if a bucket was no longer filled up to `cursor`: something was lost since the page before.
    """
    return set(connection.send_packed(page)[: len(keys.BUCKETS)]) == {str(cursor)}


def open_for_writers(redis: Redis, generation: str) -> None:
    """Turn the position that each bucket is filled up to into its cursor. From now on it takes registers."""
    pipeline = redis.pipeline(transaction=False)
    for bucket in keys.BUCKETS:
        pipeline.rename(f"{generation}:{keys.filled(bucket)}", f"{generation}:{keys.cursor(bucket)}")
    pipeline.execute()


def drop_all_but(redis: Redis, live: str | None) -> None:
    """Delete every other generation, its cursors first, so that a writer that still knows it writes nothing to it."""
    connection, dropped = ThreadConnection(redis), set[str]()
    found = redis.scan_iter(match="g[0-9]*:{[0-9][0-9]}:*", count=DROPPED_AT_ONCE)
    while chunk := list(islice(found, DROPPED_AT_ONCE)):
        doomed = [key for key in chunk if generation_of(key) != live]
        for generation in set(map(generation_of, doomed)) - dropped:
            delete(connection, [f"{generation}:{keys.cursor(bucket)}" for bucket in keys.BUCKETS])
            dropped.add(generation)
        delete(connection, doomed)


def delete(connection: ThreadConnection, names: Iterable[str]) -> None:
    connection.send([("UNLINK", name) for name in names])


def generation_of(key: str) -> str:
    return key.partition(":")[0]
