"""The read model in Redis: generations of views, of which one is read.

Every change of a view goes through a Redis Function that sets registers if they are newer. A bucket without its cursor
is not there: nothing is written to it, so what a flush took away does not come back in pieces.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from typing import TypeVar, cast
from uuid import uuid4

from redis import Redis

from readmodel.store import keys
from readmodel.store.connection import Command, Wire
from readmodel.store.generations import Generations
from readmodel.store.reader_cache import Etas, Remembered
from readmodel.store.registers import Register, by_bucket

T = TypeVar("T")

ATTEMPTS = 10
ANOTHER_ETA = 2
"""What the function returns where a register told of another ETA, whatever the event was."""
PATIENCE, PAUSE = 0.5, 0.003
"""Seconds. The relay is there within this time, should the process have died that was to write what is missing."""


class ModelAbsent(Exception):
    """There is no read model now, or a part of it is missing. It comes back when it is rebuilt from the log."""

    def __str__(self) -> str:
        return "the read model is not there"


class TornRead(Exception):
    """What was read does not belong together: a write or a switch fell in between. Read again."""


class Snapshot:
    """Reads from one generation, and makes sure on each trip that it still is the live one."""

    def __init__(self, wire: Wire, generation: str, remembered: Remembered) -> None:
        self._wire = wire
        self._generation = generation
        self._remembered = remembered

    def hashes(self, *names: str) -> list[dict[str, str]]:
        """The hashes of those keys, in one trip; an empty one for a key that is not there."""
        found, _ = self._trip(names)
        return found

    def with_etas(self, name: str) -> tuple[dict[str, str], Etas]:
        """The hash of that key, and the ETAs that are remembered: to be added to, by reference, where one is not."""
        [found], token = self._trip([name])
        return found, self._remembered.etas(self._generation, token)

    def _trip(self, names: Sequence[str]) -> tuple[list[dict[str, str]], str | None]:
        commands = [("HGETALL", f"{self._generation}:{name}") for name in names]
        # Last: had the generation been dropped before, it could not be live now.
        *found, token, stored = self._wire.trip([*commands, ("GET", keys.ETAS), ("GET", keys.GENERATIONS)])
        if Generations.parse(stored).live != self._generation:
            raise TornRead
        if not all(found):
            self._make_sure_of(keys.bucket_of(name) for name, fields in zip(names, found, strict=True) if not fields)
        return found, token

    def _make_sure_of(self, buckets: Iterable[str]) -> None:
        """That something is not there can only be said of buckets that are."""
        cursors = [f"{self._generation}:{keys.cursor(bucket)}" for bucket in set(buckets)]
        *present, stored = self._wire.trip([*(("EXISTS", cursor) for cursor in cursors), ("GET", keys.GENERATIONS)])
        if Generations.parse(stored).live != self._generation:
            raise TornRead
        if not all(present):
            raise ModelAbsent


class Store:
    """Any number of threads may share one: it remembers only which generations it saw last, and checks each time."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._wire = Wire(redis)
        self._seen = Generations()
        self._remembered = Remembered()

    def install(self) -> None:
        """Load the function library. Doing it again is harmless."""
        self.redis.function_load(files("readmodel.store").joinpath("registers.lua").read_text(), replace=True)
        self._have_readers_forget()  # What an older process changed that knew of no readers who remember.

    def generations(self) -> Generations:
        self._seen = Generations.parse(cast("str | None", self.redis.get(keys.GENERATIONS)))
        return self._seen

    def read(self, fetch: Callable[[Snapshot], T]) -> T:
        """What `fetch` finds in the live generation, as soon as it belongs together. Raises ModelAbsent; RedisError."""
        deadline = time.monotonic() + PATIENCE
        while live := self._seen.live or self.generations().live:
            try:
                return fetch(Snapshot(self._wire, live, self._remembered))
            except TornRead:
                if time.monotonic() > deadline:
                    break
                time.sleep(PAUSE)
                self.generations()
        raise ModelAbsent

    def apply(self, registers: Iterable[Register]) -> None:
        """Set registers, where newer, in every generation that is written, and wake the relay.

        Returns once they are in all of them, in those too that were announced meanwhile. Raises ModelAbsent where a
        bucket is not there; RedisError; in both cases a part may have been set, which does no harm.
        """
        buckets = by_bucket(registers)
        forget = any(map(to_be_forgotten, buckets.values()))
        target = self._seen
        for _ in range(ATTEMPTS):
            complete, found = self._apply(target, buckets, forget)
            if found == target and complete and target.live:
                return
            if found == target:
                break
            target = self._seen = found
        raise ModelAbsent

    def advance(self, generation: str, registers: Iterable[Register], expected: int, position: int) -> bool:
        """Set registers, where newer, and move every bucket's cursor to `position`.

        False where a bucket is gone or has not come as far as `expected`: then its cursor stays.
        """
        buckets = by_bucket(registers)
        if any(map(to_be_forgotten, buckets.values())):
            # Before the cursor moves: who dies in between must leave this to be done again.
            self._wire.trip([call(generation, bucket, buckets[bucket]) for bucket in buckets])
            self._have_readers_forget()
        calls = [call(generation, bucket, buckets.get(bucket, ()), expected, position) for bucket in keys.BUCKETS]
        return all(self._wire.trip(calls))

    def cursor(self, generation: str, log: str) -> int | None:
        """The position in that log up to which all of the generation's buckets have come.

        None where one is gone, or where the generation was made from another log.
        """
        names = [keys.LOG, *map(keys.cursor, keys.BUCKETS)]
        found, *cursors = self._wire.trip([("GET", f"{generation}:{name}") for name in names])
        return None if None in cursors or found != log else min(map(int, cursors))

    def _have_readers_forget(self) -> None:
        """To be called when the views have what they will read instead."""
        self._wire.trip([("SET", keys.ETAS, uuid4().hex)])

    def _apply(
        self, target: Generations, buckets: Mapping[str, list[Register]], forget: bool
    ) -> tuple[bool, Generations]:
        """Whether every bucket took its registers, and the generations that are known after that."""
        calls = [
            call(generation, bucket, registers)
            for generation in target.written
            for bucket, registers in buckets.items()
        ]
        # Last: who announces a generation after this finds these writes committed.
        commands = [*calls, ("PUBLISH", keys.COMMITTED, ""), ("GET", keys.GENERATIONS)]
        *applied, _, stored = self._wire.trip(commands)
        if forget or ANOTHER_ETA in applied:
            self._have_readers_forget()
        return all(applied), Generations.parse(stored)


def to_be_forgotten(registers: Iterable[Register]) -> bool:
    return any(register.forget for register in registers)


def call(
    generation: str,
    bucket: str,
    registers: Iterable[Register],
    expected: int | None = None,
    position: int | None = None,
) -> Command:
    """Of the function that applies registers to a bucket, and moves its cursor where a position is given."""
    names = [f"{generation}:{keys.cursor(bucket)}"]
    values: list[str | int | bytes] = ["" if expected is None else expected, "" if position is None else position]
    for register in registers:
        home = f"{generation}:{register.home}"
        names += (home, home if register.elsewhere is None else f"{generation}:{register.elsewhere}")
        values += (register.field, register.version, register.value)
    return ("FCALL", "readmodel_apply", len(names), *names, *values)
