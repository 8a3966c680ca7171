"""Reads from one generation of the views."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain

from redis.exceptions import RedisError

from readmodel.store import keys
from readmodel.store.connection import RedisCommand, ThreadConnection
from readmodel.store.errors import ModelAbsent, ModelDamaged, TornRead
from readmodel.store.generations import Generations
from readmodel.store.names import Names
from readmodel.store.reader_cache import Cached, ReaderCache
from readmodel.store.records.heartbeat import Heartbeat, warning
from readmodel.store.records.progress import is_replica, milliseconds, replication_id_in
from readmodel.store.registers import number_of


class Snapshot:
    """Reads from one generation. Each round trip checks that the generation is still live."""

    def __init__(
        self, connection: ThreadConnection, names: Names, generation: str, cache: ReaderCache, stale: float
    ) -> None:
        self._connection = connection
        self._names = names
        self._generation = generation
        self._cache = cache
        self._stale = stale
        self.warning: str | None = None
        self._buckets = set[str]()

    def hashes(self, *view_keys: str) -> list[dict[str, str]]:
        """Return the hashes of these keys, in one round trip. The hash of a missing key is empty.

        Raise TornRead or ModelAbsent.
        """
        found, _ = self._read(view_keys)
        return found

    def hash_and_cache(self, view_key: str) -> tuple[dict[str, str], Cached]:
        """Return the hash of this key, and the cached values. The caller adds the values that it reads."""
        [found], token = self._read([view_key])
        return found, self._cache.values(self._generation, token)

    def _read(self, view_keys: Sequence[str]) -> tuple[list[dict[str, str]], str | None]:
        """Return the hashes and the token of the cache."""
        self._buckets.update(map(keys.bucket_of, view_keys))
        commands: list[RedisCommand] = [("HGETALL", f"{self._generation}:{key}") for key in view_keys]
        # Read the generations last. If this generation is still live, the earlier reads were valid.
        *found, token, heartbeat, time, stored = self._connection.send(
            [
                *commands,
                ("GET", self._names.cache_token),
                ("GET", self._names.heartbeat),
                ("TIME",),
                ("GET", self._names.generations),
            ]
        )
        self._require_live(stored)
        self._judge(Heartbeat.parse(heartbeat), milliseconds(time))
        require_text(found)
        if not all(found):
            hashes = zip(view_keys, found, strict=True)
            self._require_buckets(keys.bucket_of(key) for key, fields in hashes if not fields)
        return found, token

    def _judge(self, heartbeat: Heartbeat | None, now: int) -> None:
        """Set the warning. Raise ModelOutdated if the relay has not caught up on this server."""
        info = self._connection.replication
        if is_replica(info) or (heartbeat and heartbeat.replication_id != replication_id_in(info)):
            # A promotion changes the id without ending the connections. So does the first replica of a server.
            [info] = self._connection.send([("INFO", "replication")])
            self._connection.note_replication(info)
        self.warning = warning(heartbeat, replication_id_in(info), self._generation, now, self._stale) or self.warning

    def _require_buckets(self, buckets: Iterable[str]) -> None:
        """Raise ModelAbsent if a bucket is missing. A missing key proves nothing if its bucket is missing, too."""
        cursors = [f"{self._generation}:{keys.cursor(bucket)}" for bucket in set(buckets)]
        *positions, stored = self._connection.send(
            [*(("GET", cursor) for cursor in cursors), ("GET", self._names.generations)]
        )
        self._require_live(stored)
        if None in [number_of(position or "") for position in positions]:
            raise ModelAbsent

    def mark_damaged(self, reason: str) -> None:
        """Store the reason in the cursor of each bucket that this snapshot has read, so that the relay rebuilds."""
        cursors = [f"{self._generation}:{keys.cursor(bucket)}" for bucket in self._buckets]
        with suppress(RedisError):  # A replica takes no writes. A reader of the primary finds the same damage.
            self._connection.send([("SET", cursor, f"damaged: {reason}", "XX") for cursor in cursors])

    def _require_live(self, stored: str | None) -> None:
        if Generations.parse(stored).live != self._generation:
            raise TornRead


def require_text(hashes: Iterable[Mapping[str, str]]) -> None:
    """Raise ModelDamaged if the name of a field is not UTF-8."""
    try:
        "".join(chain.from_iterable(hashes)).encode()
    except UnicodeEncodeError as error:
        raise ModelDamaged(f"a field is not UTF-8: {error.object[error.start : error.end]!r}") from error
