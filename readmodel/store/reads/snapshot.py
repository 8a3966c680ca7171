"""Reads from one generation of the views."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import cast

from redis.exceptions import RedisError

from readmodel.store import keys
from readmodel.store.errors import ModelDamaged, NeedsRebuild, TornRead
from readmodel.store.formats import LISTS, Format, format_of
from readmodel.store.generations import Generations
from readmodel.store.lists import Range
from readmodel.store.names import Names
from readmodel.store.reads.consistency import ConsistencyToken, NotYet
from readmodel.store.reads.cursors import (
    cursor_commands,
    cursors_in_history,
    progress_commands,
    require_positions,
    require_shown,
)
from readmodel.store.reads.reader_cache import Cached, ReaderCache
from readmodel.store.reads.reading import Reading, Trip, Wanted
from readmodel.store.records.heartbeat import Heartbeat, warning
from readmodel.store.records.progress import milliseconds, replication_id_in

RegistersOf = Callable[[Sequence[Sequence[str]]], Mapping[str, Mapping[str, str]]]
"""Returns the registers in the replies to ranges, by key and by field."""


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

    @property
    def format(self) -> Format:
        return format_of(self._generation)

    def require_format(self, number: int) -> Reading[None]:
        """Raise NeedsRebuild if the format of the generation is older. This needs a trip only if it is older.

        The trip checks that the generation is still live. Otherwise, raise what `hashes` raises.
        """
        if self.format.number < number:
            self._check((yield Wanted()))
            raise NeedsRebuild

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

    def ranges(self, *wanted: Range, registers: RegistersOf | None = None) -> Reading[Sequence[Sequence[str]]]:
        """Return the entries in these ranges, in one round trip. Redis reads them in this order.

        Raise what `hashes` raises, and NeedsRebuild. With a token, the buckets must have reached its position. It also
        suffices if the `registers` in the ranges are as new as those of the token.
        """
        yield from self.require_format(LISTS)
        buckets = self._visit(one.key for one in wanted)
        if self._at_least is not None and registers is None:
            yield from self._require_position(
                buckets[-1:]
            )  # While the query waits, it reads only this bucket's cursor.
        shown = (cursor_commands if self._at_least is None else progress_commands)(self._generation, buckets)
        trip = yield Wanted([*shown, *(one.command(self._generation) for one in wanted)])
        self._check(trip)
        cursors, found = trip.replies[: len(shown)], trip.replies[len(shown) :]
        require_text(found)
        if self._at_least is None:
            require_positions(cursors)
        else:
            reached = min(cursors_in_history(self._at_least, buckets, cursors).values())
            require_shown(self._at_least, reached, {} if registers is None else registers(found))
        return found

    def _require_position(self, buckets: Sequence[str]) -> Reading[None]:
        """Raise NotYet if one of the buckets has not reached the position of the token."""
        token = cast("ConsistencyToken", self._at_least)
        trip = yield Wanted(progress_commands(self._generation, buckets))
        self._check(trip)
        require_shown(token, min(cursors_in_history(token, buckets, trip.replies).values()), {})

    def _read(self, view_keys: Sequence[str]) -> Reading[tuple[Sequence[dict[str, str]], str | None]]:
        """Return the hashes and the token of the cache."""
        buckets = self._visit(view_keys)
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

    def _visit(self, view_keys: Iterable[str]) -> list[str]:
        """Return the buckets of these keys, and remember them for `mark_damaged`."""
        buckets = sorted({*map(keys.bucket_of, view_keys)})
        self._buckets.update(buckets)
        return buckets

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
        trip = yield Wanted(cursor_commands(self._generation, buckets))
        self._check(trip)
        require_positions(trip.replies)

    def mark_damaged(self, reason: str) -> Reading[None]:
        """Store the reason in the cursor of each bucket that this snapshot has read, so that the relay rebuilds."""
        cursors = [f"{self._generation}:{keys.cursor(bucket)}" for bucket in self._buckets]
        # A replica accepts no writes. A reader of the primary finds the same damage.
        with suppress(RedisError, ModelDamaged):
            yield Wanted([("SET", cursor, f"damaged: {reason}", "XX") for cursor in cursors])


def require_text(replies: Iterable[Iterable[str]]) -> None:
    """Raise ModelDamaged if the name of a field or an entry of a list is not UTF-8."""
    try:
        "".join(chain.from_iterable(replies)).encode()
    except UnicodeEncodeError as error:
        raise ModelDamaged(f"a field is not UTF-8: {error.object[error.start : error.end]!r}") from error
