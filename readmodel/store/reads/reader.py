"""Reads views of the live generation."""

import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from readmodel.store.errors import ModelAbsent, ModelDamaged, TornRead
from readmodel.store.generations import Generations
from readmodel.store.names import Names
from readmodel.store.reads.consistency import ConsistencyToken, NotYet
from readmodel.store.reads.reader_cache import ReaderCache
from readmodel.store.reads.reading import Reading, Wanted
from readmodel.store.reads.snapshot import Snapshot

T = TypeVar("T")

READ_WITHIN, PAUSE = 0.5, 0.003
"""Seconds. Readers repeat a torn read for READ_WITHIN. The relay completes the writes of a dead writer in this time."""

PATIENCE, LONGEST_PAUSE, MOST_WAITING = 1.0, 0.05, 125
"""Seconds that a reading waits for its token, the longest pause between two attempts, and the readings that wait."""


class ReadResult(NamedTuple, Generic[T]):
    """The result of a read. `warning` is None, or says that the result may be wrong or old: see `heartbeat.warning`."""

    value: T
    warning: str | None


class Reader:
    """Any number of readings may share it. It caches the name of the live generation, and each trip checks the name.

    It calls the views old if the relay has not confirmed them for `stale` seconds. A reading waits up to `patience`
    seconds for the command of its token.
    """

    def __init__(self, names: Names, stale: float, patience: float = PATIENCE) -> None:
        self._names = names
        self._stale = stale
        self._patience = patience
        self._waiting = 0
        self._live: str | None = None
        self._cache = ReaderCache()

    def read_at_least(
        self, token: ConsistencyToken | None, fetch: Callable[[Snapshot], Reading[T]]
    ) -> Reading[ReadResult[T]]:
        """Return the result of `fetch` as `read` does, but not before it shows the command of the token.

        Raise NotYet if that takes too long, or if MOST_WAITING readings wait already. Raise OtherHistory if the token
        is not of the history that the views show.
        """
        try:
            return (yield from self.read(fetch, token))
        except NotYet:
            if self._waiting >= MOST_WAITING:
                raise
        self._waiting += 1
        try:
            return (yield from self._wait(token, fetch))
        finally:
            self._waiting -= 1

    def _wait(self, token: ConsistencyToken | None, fetch: Callable[[Snapshot], Reading[T]]) -> Reading[ReadResult[T]]:
        deadline, pause = time.monotonic() + self._patience, PAUSE
        while True:
            yield Wanted(delay=pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                return (yield from self.read(fetch, token))
            except NotYet:
                if time.monotonic() > deadline:
                    raise

    def read(
        self, fetch: Callable[[Snapshot], Reading[T]], token: ConsistencyToken | None = None
    ) -> Reading[ReadResult[T]]:
        """Return the result of `fetch` on the live generation. Repeat torn reads. Raise ModelAbsent or RedisError.

        With a token, also raise NotYet or OtherHistory.
        """
        deadline = time.monotonic() + READ_WITHIN
        live = self._live or (yield from self._find_live())
        while live:
            snapshot = Snapshot(self._names, live, self._cache, self._stale, token)
            try:
                value = yield from fetch(snapshot)
                return ReadResult(value, snapshot.warning)
            except ModelDamaged as damage:
                yield from snapshot.mark_damaged(str(damage))
                raise
            except TornRead:
                if time.monotonic() > deadline:
                    break
                live = yield from self._find_live(PAUSE)
        raise ModelAbsent

    def _find_live(self, delay: float = 0.0) -> Reading[str | None]:
        trip = yield Wanted(delay=delay)
        self._live = Generations.parse(trip.generations).live
        return self._live
