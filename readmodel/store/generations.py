"""Generations: whole copies of the views, of which one is read. A rebuild fills a new one and switches to it."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple
from uuid import uuid4

from redis import Redis

from readmodel.store import keys
from readmodel.store.connection import Command, Packed, Wire, packed
from readmodel.store.registers import Register

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
    pipeline.set(keys.ETAS, uuid4().hex)  # A generation before a flush may have had the same name.
    for bucket in keys.BUCKETS:
        pipeline.set(f"{generation}:{keys.filled(bucket)}", 0)
    pipeline.execute()


def filling(generation: str, registers: Iterable[Register], position: int) -> Packed:
    """The commands that write registers as they are: later ones win.

    They move the buckets from where they were left to `position`, and so find out first where that was.
    """
    homes: dict[str, list[str | bytes]] = defaultdict(list)
    former: dict[str, list[str]] = defaultdict(list)
    for home, field, _, value, elsewhere, _ in registers:
        homes[home] += (field, value)
        if elsewhere is not None:
            former[elsewhere].append(field)
    commands: list[Command] = [
        ("SET", f"{generation}:{keys.filled(bucket)}", position, "GET") for bucket in keys.BUCKETS
    ]
    commands += [("HDEL", f"{generation}:{home}", *fields) for home, fields in former.items()]
    commands += [("HSET", f"{generation}:{home}", *fields) for home, fields in homes.items()]
    return packed(commands)


def fill(wire: Wire, commands: Packed, cursor: int) -> bool:
    """Carry out what fills a generation that nobody else reads or writes yet.

    False where a bucket is no longer as it was left at `cursor`: something was lost in between.
    """
    return set(wire.send(commands)[: len(keys.BUCKETS)]) == {str(cursor)}


def open_for_writers(redis: Redis, generation: str) -> None:
    """Turn the position that each bucket is filled up to into its cursor: from now on registers are taken."""
    pipeline = redis.pipeline(transaction=False)
    for bucket in keys.BUCKETS:
        pipeline.rename(f"{generation}:{keys.filled(bucket)}", f"{generation}:{keys.cursor(bucket)}")
    pipeline.execute()


def drop_all_but(redis: Redis, live: str | None) -> None:
    """Delete every other generation, its cursors first: a writer that still knows of it writes nothing to it then."""
    wire, dropped = Wire(redis), set[str]()
    found = redis.scan_iter(match="g[0-9]*:{[0-9][0-9]}:*", count=DROPPED_AT_ONCE)
    while chunk := list(islice(found, DROPPED_AT_ONCE)):
        doomed = [key for key in chunk if generation_of(key) != live]
        for generation in set(map(generation_of, doomed)) - dropped:
            delete(wire, [f"{generation}:{keys.cursor(bucket)}" for bucket in keys.BUCKETS])
            dropped.add(generation)
        delete(wire, doomed)


def delete(wire: Wire, names: Iterable[str]) -> None:
    wire.trip([("UNLINK", name) for name in names])


def generation_of(key: str) -> str:
    return key.partition(":")[0]
