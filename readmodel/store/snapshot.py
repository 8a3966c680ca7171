"""Reads from one generation of the views."""

from collections.abc import Iterable, Sequence

from readmodel.store import keys
from readmodel.store.connection import ThreadConnection
from readmodel.store.generations import Generations
from readmodel.store.reader_cache import Cached, ReaderCache


class ModelAbsent(Exception):
    """The read model, or a part of it, does not exist now. It exists again after a rebuild from the log."""

    def __str__(self) -> str:
        return "the read model does not exist"


class TornRead(Exception):
    """A write or a switch happened during the read, so the parts don't match. Read again."""


class Snapshot:
    """Reads from one generation. Each trip checks that this generation is still live."""

    def __init__(self, connection: ThreadConnection, generation: str, cache: ReaderCache) -> None:
        self._connection = connection
        self._generation = generation
        self._cache = cache

    def hashes(self, *names: str) -> list[dict[str, str]]:
        """Return the hashes of these keys, in one trip. A missing key gives an empty hash.

        Raises TornRead, ModelAbsent.
        """
        found, _ = self._read(names)
        return found

    def hash_and_cache(self, name: str) -> tuple[dict[str, str], Cached]:
        """Return the hash of this key, and what the process has cached: add to it what else you read."""
        [found], token = self._read([name])
        return found, self._cache.values(self._generation, token)

    def _read(self, names: Sequence[str]) -> tuple[list[dict[str, str]], str | None]:
        """Return the hashes and the token of the cache."""
        commands = [("HGETALL", f"{self._generation}:{name}") for name in names]
        # GENERATIONS last: if the generation had been dropped before these reads, it could not be live now.
        *found, token, stored = self._connection.send([*commands, ("GET", keys.CACHE_TOKEN), ("GET", keys.GENERATIONS)])
        self._require_live(stored)
        if not all(found):
            self._require_buckets(keys.bucket_of(name) for name, fields in zip(names, found, strict=True) if not fields)
        return found, token

    def _require_buckets(self, buckets: Iterable[str]) -> None:
        """Raise ModelAbsent if one of these buckets is gone: then a missing key does not mean that there is no view."""
        cursors = [f"{self._generation}:{keys.cursor(bucket)}" for bucket in set(buckets)]
        *present, stored = self._connection.send(
            [*(("EXISTS", cursor) for cursor in cursors), ("GET", keys.GENERATIONS)]
        )
        self._require_live(stored)
        if not all(present):
            raise ModelAbsent

    def _require_live(self, stored: str | None) -> None:
        if Generations.parse(stored).live != self._generation:
            raise TornRead
