"""Verifies the live views against the state, and repairs them register by register, while others read and write."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from readmodel.projector.fold import Projection
from readmodel.projector.follow import Log
from readmodel.projector.verification.differences import NO_HASH, NO_LIST, Comparison, Difference, Pause, State
from readmodel.projector.verification.hashes import stored_name
from readmodel.projector.verification.strangers import (
    SCANNED_AT_ONCE,
    Part,
    dead_generations,
    keys_of,
    scan_keys,
    shared_lists,
    strangers,
    view_of,
)
from readmodel.projector.verification.stray_entries import repair_entry
from readmodel.store import functions, generations, keys
from readmodel.store.connection import damage_in
from readmodel.store.errors import ModelAbsent
from readmodel.store.formats import Format, format_of
from readmodel.store.lists import is_list
from readmodel.store.registers import number_of
from readmodel.store.store import Store
from readmodel.views.kinds import Name, Row


class Verifier:
    """Compares the live generation with the state, and corrects what differs. Its methods raise ModelAbsent.

    Call `organisation` first: the other methods need every cursor. The methods wait with `pause`.
    """

    def __init__(self, store: Store, log: Log, projection: Projection, state: State, pause: Pause = time.sleep) -> None:
        self._store = store
        self._log = log
        self._projection = projection
        self._state = state
        self._pause = pause

    def organisation(self) -> list[Difference]:
        """Return a difference for each cursor that is no position, and for a log of another identity."""
        live, identity = self._live(), self._log.identity()
        pipeline = self._store.redis.pipeline(transaction=False)
        for bucket in keys.BUCKETS:
            pipeline.get(f"{live}:{keys.cursor(bucket)}")
            pipeline.hget(f"{live}:{keys.history(bucket)}", "identity")
        found = [as_text(value) for value in pipeline.execute(raise_on_error=False)]
        cursors, identities = zip(keys.BUCKETS, found[::2], strict=True), zip(keys.BUCKETS, found[1::2], strict=True)
        return [
            Difference(keys.cursor(bucket), None, cursor, "a position")
            for bucket, cursor in cursors
            if number_of(cursor or "") is None
        ] + [
            Difference(keys.history(bucket), "identity", found, identity)
            for bucket, found in identities
            if found != identity
        ]

    def rows(self, kind: str, pages: Iterable[Sequence[Name]]) -> Iterator[Difference]:
        """Yield the differences of the registers of these rows. A register of several rows can occur repeatedly."""
        for names in pages:
            yield from self._differences(kind, names)

    def _differences(self, kind: str, names: Sequence[Name]) -> list[Difference]:
        while True:
            comparison = self._comparison(self._live())
            try:
                return comparison.differences(kind, names)
            except ModelAbsent:
                if comparison.generation == self._live():
                    raise  # Otherwise a rebuild has switched to another generation.

    def strange_fields(self, view_keys: Iterable[str]) -> Iterator[Difference]:
        """Yield a difference for each of these keys, and for each field of them, that must not exist."""
        places = dict.fromkeys(view_keys, 0)
        while places:
            differences, places, _ = self.strangers_in(places, SCANNED_AT_ONCE)
            yield from differences

    def strangers_of(self, row: Row) -> Iterator[Difference]:
        """Yield a difference for each key, field or entry of this product or this order that must not exist."""
        kinds = self._projection.kinds(self.format())
        yield from self.strange_fields(keys_of(row, kinds))
        in_lists = self.strange_fields(shared_lists(row, kinds))
        yield from (difference for difference in in_lists if f"\0{row[1][0]}\0" in (difference.field or ""))

    def strangers(self) -> Iterator[Difference]:
        """Yield a difference for each key or field of the live generation that must not exist."""
        cursor, found = self.scan(0)
        yield from self.strange_fields(found)
        while cursor:
            cursor, found = self.scan(cursor)
            yield from self.strange_fields(found)

    def scan(self, cursor: int) -> tuple[int, list[str]]:
        """Return the next cursor of a scan, and some keys of the live generation. The first and last cursor are 0."""
        return scan_keys(self._store.redis, self._live(), cursor)

    def strangers_in(self, places: Mapping[str, int], count: int) -> Part:
        """Look for keys and fields that must not exist, in about `count` fields of each key.

        `places` maps each key to the cursor of its scan, at first 0.
        """
        return strangers(self._store.redis, self._state, self._projection, self._live(), places, count)

    def format(self) -> Format:
        """Return the format of the live generation."""
        return format_of(self._live())

    def dead_generations(self) -> Iterator[Difference]:
        """Yield a difference for each generation that no process uses. The caller holds the rebuild lock."""
        yield from dead_generations(self._store)

    def drop_dead_generations(self) -> None:
        """The caller holds the rebuild lock."""
        generations.drop_all_but(self._store.redis, self._store.names, *self._store.generations())

    def repair(self, difference: Difference) -> bool:
        """Correct a register or an entry if it still is as it was found. Verify again afterwards: others may change.

        Return whether this call corrected it. The difference must not concern the organisation or a dead generation.
        """
        live, redis, names = self._live(), self._store.redis, self._store.names
        key, field, found, expected, other_key, lists, entry_name = difference
        name = stored_name(live, key)
        if found in {NO_HASH, NO_LIST}:  # The next round sets its fields or entries.
            corrected = functions.delete_other_type(redis, names, name, "hash" if found == NO_HASH else "zset")
        elif field is None:
            corrected = bool(redis.unlink(name))
        elif is_list(key) and (view := view_of(key, self._projection.kinds(format_of(live)))) is not None:
            corrected = repair_entry(self._store, live, difference, view)
        else:
            other = name if other_key is None else stored_name(live, other_key)
            places = (name, other, *(stored_name(live, one) for one in lists))
            corrected = functions.repair(redis, names, places, field, found, expected, entry_name)
        self._store.invalidate_caches()
        return corrected

    def _live(self) -> str:
        live = self._store.generations().live
        if live is None:
            raise ModelAbsent
        return live

    def _comparison(self, live: str) -> Comparison:
        return Comparison(self._store, self._log, self._projection, self._state, live, self._pause)


def as_text(value: object) -> str | None:
    """Return a reply of Redis as text. Raise an error, but not that of a key with a value of another type."""
    if isinstance(value, Exception) and damage_in(value) is None:
        raise value
    return None if value is None else str(value)
