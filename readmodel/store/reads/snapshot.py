"""Reads from one generation of the views."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from redis.exceptions import RedisError

from readmodel.store import keys
from readmodel.store.connection import RedisCommand
from readmodel.store.errors import ModelAbsent, ModelDamaged, TornRead
from readmodel.store.generations import Generations
from readmodel.store.names import Names
from readmodel.store.reads.consistency import ConsistencyToken, NotYet
from readmodel.store.reads.reader_cache import Cached, ReaderCache
from readmodel.store.reads.reading import Reading, Trip, Wanted
from readmodel.store.records.heartbeat import Heartbeat, warning
from readmodel.store.records.progress import milliseconds, replication_id_in
from readmodel.store.registers import number_of


class Snapshot:
    """Reads from one generation. Each round trip checks that the generation is still live.

    With the consistency token `at_least`, each trip also checks that the hashes show the command of the token.
    """

    def __init__(
        self,
        names: Names,
        generation: str,
        cache: ReaderCache,
        stale: float,
        at_least: ConsistencyToken | None = None,
    ) -> None:
        self._names = names
        self._generation = generation
        self._cache = cache
        self._stale = stale
        self._at_least = at_least
        self.warning: str | None = None
        self._buckets = set[str]()

    def hashes(self, *view_keys: str) -> Reading[Sequence[dict[str, str]]]:
        """Return the hashes of these keys, in one round trip. The hash of a missing key is empty.

        Raise TornRead, ModelAbsent or RedisError. With a token, also raise NotYet or OtherHistory.
        """
        found, _ = yield from self._read(view_keys)
        return found

    def hashes_and_cache(self, *view_keys: str) -> Reading[tuple[Sequence[dict[str, str]], Cached]]:
        """Return the hashes of these keys, and the cached values. The caller adds the values that it reads."""
        found, cache_token = yield from self._read(view_keys)
        # The command of the token may have changed a value that is still cached.
        return found, self._cache.values(self._generation, cache_token) if self._at_least is None else {}

    def _read(self, view_keys: Sequence[str]) -> Reading[tuple[Sequence[dict[str, str]], str | None]]:
        """Return the hashes and the token of the cache."""
        buckets = sorted({*map(keys.bucket_of, view_keys)})
        self._buckets.update(buckets)
        # Read the cursors first: a hash that is read later shows at least as much.
        shown = progress_commands(self._generation, buckets) if self._at_least is not None else []
        trip = yield Wanted([*shown, *(("HGETALL", f"{self._generation}:{key}") for key in view_keys)])
        self._check(trip)
        found = trip.replies[len(shown) :]
        require_text(found)
        if not all(found):
            hashes = zip(view_keys, found, strict=True)
            yield from self._require_buckets({keys.bucket_of(key) for key, fields in hashes if not fields})
        if self._at_least is not None:
            cursors = cursors_in_history(self._at_least, buckets, trip.replies[: len(shown)])
            for key, fields in zip(view_keys, found, strict=True):
                if not self._at_least.is_shown_by(key, fields, cursors[keys.bucket_of(key)]):
                    raise NotYet
        return found, trip.cache_token

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


def progress_commands(generation: str, buckets: Iterable[str]) -> list[RedisCommand]:
    """Return the commands that read the cursor and the history of each bucket.

    The Redis user of query processes may not use HMGET.
    """
    commands: list[RedisCommand] = []
    for bucket in buckets:
        commands.append(("GET", f"{generation}:{keys.cursor(bucket)}"))
        commands.append(("HGETALL", f"{generation}:{keys.history(bucket)}"))
    return commands


def cursors_in_history(token: ConsistencyToken, buckets: Sequence[str], replies: Sequence[Any]) -> dict[str, int]:
    """Return the cursors of buckets that show the history of the token. Raise NotYet, OtherHistory or ModelAbsent."""
    cursors = {}
    for bucket, cursor, history in zip(buckets, replies[::2], replies[1::2], strict=True):
        position, epoch = number_of(cursor or ""), number_of(history.get("epoch", ""))
        if position is None or epoch is None or "identity" not in history:
            raise ModelAbsent
        token.require_history(history["identity"], epoch)
        cursors[bucket] = position
    return cursors


def require_text(hashes: Iterable[Mapping[str, str]]) -> None:
    """Raise ModelDamaged if the name of a field is not UTF-8."""
    try:
        "".join(chain.from_iterable(hashes)).encode()
    except UnicodeEncodeError as error:
        raise ModelDamaged(f"a field is not UTF-8: {error.object[error.start : error.end]!r}") from error
