"""The read model in Redis. It holds generations of the views. Readers use the live generation.

A Redis Function sets registers if they are newer. A bucket without a cursor refuses writes. So after a flush, late
writes can't restore parts of the views.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, TypeVar, cast
from uuid import uuid4

from redis import Redis
from redis.exceptions import ResponseError

from readmodel.store import keys
from readmodel.store.connection import RedisCommand, ThreadConnection, damage_in
from readmodel.store.errors import ModelAbsent, ModelDamaged
from readmodel.store.formats import Format, format_of
from readmodel.store.functions import CACHED_MEMBER_CHANGED, Step, Write, apply_command, by_bucket, load_functions
from readmodel.store.generations import Generations
from readmodel.store.names import PLAIN, Names
from readmodel.store.reads.reader import PATIENCE, Reader, ReadResult
from readmodel.store.reads.reading import Reading, Trip, common_commands, complete
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.records.heartbeat import Heartbeat
from readmodel.store.records.progress import Progress, parse_progress, progress_commands, replication_id_in
from readmodel.store.registers import Register

T = TypeVar("T")

Fold = Callable[[Format], Iterable[Write]]
"""Returns the writes of some events for a generation of this format."""

STALE = 5.0
ATTEMPTS, APPLIED_AT_ONCE = 10, 1_000


class Store:
    """Any number of threads may share it. It caches the names of the generations, and checks them on each use.

    `reader` reads the views. It calls them old if the relay has not confirmed them for `stale` seconds, and waits
    `patience` seconds for the write of a consistency token.
    """

    def __init__(self, redis: Redis, names: Names = PLAIN, stale: float = STALE, patience: float = PATIENCE) -> None:
        self.redis = redis
        self.names = names
        self.reader = Reader(names, stale, patience)
        self._connection = ThreadConnection(redis)
        self._seen = Generations()

    def install(self, cached_members: Mapping[str, str]) -> None:
        """Load the functions. Processes may call this method repeatedly."""
        load_functions(self.redis, self.names, cached_members)
        self.invalidate_caches()  # An older process may have changed a cached value without a new token.

    def generations(self) -> Generations:
        """Return the stored generations. Raise ModelDamaged or RedisError."""
        try:
            stored = self.redis.get(self.names.generations)
        except ResponseError as error:
            raise damage_in(error) or error from error
        self._seen = Generations.parse(cast("str | None", stored))
        return self._seen

    def read(self, fetch: Callable[[Snapshot], Reading[T]]) -> ReadResult[T]:
        """Return the result of `fetch` on the live generation. Raise ModelAbsent or RedisError."""
        return complete(self.reader.read(fetch), self.exchange)

    def exchange(self, commands: Sequence[RedisCommand]) -> Trip:
        """Make a round trip for a reading, in the calling thread. Raise RedisError or ModelDamaged."""
        common = common_commands(self.names)
        replies = self._connection.send([*commands, *common])
        return Trip(replies[: len(commands)], *replies[len(commands) :])

    def apply(self, fold: Fold, identity: str) -> None:
        """Apply writes to the live generation and to the other generation, and wake the relay.

        `fold` returns the writes for a format. Return when both generations have them, even if a rebuild announced the
        other generation meanwhile. `identity` names the history that holds their events.

        Raise ModelAbsent if a bucket or the live generation is missing, or if it shows another history. Raise
        RedisError if Redis is unavailable. After an error, some writes may be applied. The caller may repeat the call.
        """
        target = self._seen
        for _ in range(ATTEMPTS):
            complete, found = self._apply(target, fold, identity)
            if found == target and complete and target.live:
                return
            if found == target:
                break
            target = self._seen = found
        raise ModelAbsent

    def advance(self, generation: str, writes: Iterable[Write], identity: str, step: Step | None) -> bool:
        """Apply writes of this history, and move every bucket's cursor. Without a step, the cursors stay.

        Return False if a bucket is missing, shows another history, or has not reached `step.expected`. Other buckets
        are still written.
        """
        buckets = by_bucket(writes)
        if invalidates_caches(buckets):
            # Do this before the cursor moves. If the process dies here, the relay repeats the page.
            self._connection.send(
                [apply_command(self.names, generation, bucket, buckets[bucket], identity) for bucket in buckets]
            )
            self.invalidate_caches()
        commands = [
            apply_command(self.names, generation, bucket, buckets.get(bucket, ()), identity, step)
            for bucket in keys.BUCKETS
        ]
        return all(self._connection.send(commands))

    def progress(self, generation: str) -> Progress | None:
        """Return the progress of the generation, or None if a bucket is missing. Raise ModelDamaged or RedisError."""
        return parse_progress(generation, self._connection.send(progress_commands(generation)))

    def cursor(self, generation: str, identity: str) -> int | None:
        """Return the position that all buckets of the generation have reached.

        Return None if a bucket is missing or shows another history. Raise ModelDamaged or RedisError.
        """
        progress = self.progress(generation)
        return progress.cursor if progress is not None and progress.identities == {identity} else None

    def replication_id(self) -> str:
        """Return the replication id of the server."""
        return replication_id_in(self._connection.send([("INFO", "replication")])[0])

    def beat(self, replication_id: str, complete_at: int) -> None:
        """Record that the views on this server show every commit before `complete_at`, and that none is suspect."""
        self._connection.send([("SET", self.names.heartbeat, str(Heartbeat(replication_id, complete_at)))])

    def suspect(self, generation: str) -> None:
        """Record that the generation shows a history that the log no longer has. The other words stay the same."""
        found = None
        with suppress(ModelDamaged):  # The key is no string: replace it.
            [found] = self._connection.send([("GET", self.names.heartbeat)])
        heartbeat = Heartbeat.parse(found) or Heartbeat()
        self._connection.send([("SET", self.names.heartbeat, str(heartbeat._replace(suspect=generation)))])

    def invalidate_caches(self) -> None:
        """Make all readers drop their caches. Call this after the views show the new values."""
        self._connection.send([("SET", self.names.cache_token, uuid4().hex)])

    def _apply(self, target: Generations, fold: Fold, identity: str) -> tuple[bool, Generations]:
        """Return whether every bucket accepted its writes, and the current generations."""
        applied, invalidated = list[Any](), False
        commands: list[RedisCommand] = []
        for generation, buckets in parts(target, fold):
            applied += self._connection.send(commands) if commands else ()
            commands = [apply_command(self.names, generation, bucket, buckets[bucket], identity) for bucket in buckets]
            invalidated = invalidated or invalidates_caches(buckets)
        # Read the generations last. A rebuild that announces a generation later reads these events from the log.
        *rest, _, stored = self._connection.send(
            [*commands, ("PUBLISH", self.names.committed, ""), ("GET", self.names.generations)]
        )
        applied += rest
        if invalidated or CACHED_MEMBER_CHANGED in applied:
            self.invalidate_caches()
        return all(applied), Generations.parse(stored)


def parts(target: Generations, fold: Fold) -> Iterator[tuple[str, dict[str, list[Write]]]]:
    """Yield the writes of each trip, by bucket, for each generation."""
    for generation in target.written:
        buckets = by_bucket(fold(format_of(generation)))
        part, size = dict[str, list[Write]](), 0
        for bucket, writes in buckets.items():
            for chunk in chunks(writes):
                if part and (size + len(chunk) > APPLIED_AT_ONCE or bucket in part):
                    yield generation, part
                    part, size = {}, 0
                part[bucket], size = chunk, size + len(chunk)
        if part:
            yield generation, part


def chunks(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """Yield the writes of each call: about APPLIED_AT_ONCE, because more would keep Redis busy for too long.

    All registers of a product are in one call, however many they are.
    """
    chunk = list[Write]()
    for _, group in groupby(writes, key=lambda write: keys.identifier_in(write.key)):
        together = list(group)
        if chunk and len(chunk) + len(together) > APPLIED_AT_ONCE:
            yield chunk
            chunk = []
        chunk += together
    if chunk:
        yield chunk


def invalidates_caches(buckets: Mapping[str, list[Write]]) -> bool:
    return any(
        isinstance(write, Register) and write.invalidates_cache for writes in buckets.values() for write in writes
    )
