"""Reads from one generation of the views."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain

from redis.exceptions import RedisError

from readmodel.store import keys
from readmodel.store.errors import ModelAbsent, ModelDamaged, TornRead
from readmodel.store.generations import Generations
from readmodel.store.names import Names
from readmodel.store.reads.reader_cache import Cached, ReaderCache
from readmodel.store.reads.reading import Reading, Trip, Wanted
from readmodel.store.records.heartbeat import Heartbeat, warning
from readmodel.store.records.progress import milliseconds, replication_id_in
from readmodel.store.registers import number_of


class Snapshot:
    """Reads from one generation. Each round trip checks that the generation is still live."""

    def __init__(self, names: Names, generation: str, cache: ReaderCache, stale: float) -> None:
        self._names = names
        self._generation = generation
        self._cache = cache
        self._stale = stale
        self.warning: str | None = None
        self._buckets = set[str]()

    def hashes(self, *view_keys: str) -> Reading[Sequence[dict[str, str]]]:
        """Return the hashes of these keys, in one round trip. The hash of a missing key is empty.

        Raise TornRead, ModelAbsent or RedisError.
        """
        trip = yield from self._read(view_keys)
        return trip.replies

    def hash_and_cache(self, view_key: str) -> Reading[tuple[dict[str, str], Cached]]:
        """Return the hash of this key, and the cached values. The caller adds the values that it reads."""
        trip = yield from self._read([view_key])
        return trip.replies[0], self._cache.values(self._generation, trip.token)

    def _read(self, view_keys: Sequence[str]) -> Reading[Trip]:
        self._buckets.update(map(keys.bucket_of, view_keys))
        trip = yield Wanted([("HGETALL", f"{self._generation}:{key}") for key in view_keys])
        self._check(trip)
        require_text(trip.replies)
        if not all(trip.replies):
            hashes = zip(view_keys, trip.replies, strict=True)
            yield from self._require_buckets({keys.bucket_of(key) for key, fields in hashes if not fields})
        return trip

    def _check(self, trip: Trip) -> None:
        """Set the warning. Raise TornRead if the generation is not live.

        Raise ModelOutdated if the relay has not caught up on this server.
        """
        if Generations.parse(trip.generations).live != self._generation:
            raise TornRead
        heartbeat, server = Heartbeat.parse(trip.heartbeat), replication_id_in(trip.replication)
        found = warning(heartbeat, server, self._generation, milliseconds(trip.time), self._stale)
        self.warning = found or self.warning

    def _require_buckets(self, buckets: Iterable[str]) -> Reading[None]:
        """Raise ModelAbsent if a bucket is missing. A missing key proves nothing if its bucket is missing, too."""
        trip = yield Wanted([("GET", f"{self._generation}:{keys.cursor(bucket)}") for bucket in buckets])
        self._check(trip)
        if None in [number_of(position or "") for position in trip.replies]:
            raise ModelAbsent

    def mark_damaged(self, reason: str) -> Reading[None]:
        """Store the reason in the cursor of each bucket that this snapshot has read, so that the relay rebuilds."""
        cursors = [f"{self._generation}:{keys.cursor(bucket)}" for bucket in self._buckets]
        # A replica accepts no writes. A reader of the primary finds the same damage.
        with suppress(RedisError, ModelDamaged):
            yield Wanted([("SET", cursor, f"damaged: {reason}", "XX") for cursor in cursors])


def require_text(hashes: Iterable[Mapping[str, str]]) -> None:
    """Raise ModelDamaged if the name of a field is not UTF-8."""
    try:
        "".join(chain.from_iterable(hashes)).encode()
    except UnicodeEncodeError as error:
        raise ModelDamaged(f"a field is not UTF-8: {error.object[error.start : error.end]!r}") from error
