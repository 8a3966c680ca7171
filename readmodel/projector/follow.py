"""Follows the log and applies the events that a generation lacks. Several processes may do so concurrently."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, Protocol

from readmodel.projector.fold import Projection
from readmodel.store.errors import ModelAbsent
from readmodel.store.store import Store

Events = Collection[Mapping[str, Any]]


class Log(Protocol):
    """Any thread may call its methods."""

    def identity(self) -> str:
        """Return the log's random name. A copy of the log has the same name. Other logs have other names."""

    def end(self) -> int:
        """Return the last assigned position. Events up to it may still be uncommitted."""

    def read(self, after: int, limit: int = ...) -> tuple[Events, int]:
        """Return about `limit` events after position `after`, as whole transactions in order, and the new cursor.

        The reader has then received every event at or below that cursor. The cursor stays at `after` until a later
        position is final.
        """


def follow(store: Store, log: Log, projection: Projection) -> int:
    """Advance the live generation by one page. Return the number of positions that it moved.

    Return 0 if there is no new event, or if Redis refused the page. Advance the other generation first. Otherwise a
    switch would show readers older states. Raise ModelAbsent if a part of the live generation is missing. Also raise
    the errors of the log and of Redis.
    """
    live = store.generations().live
    if live is None or (cursor := store.cursor(live, log.identity())) is None:
        raise ModelAbsent
    events, position = log.read(cursor)
    if position == cursor:
        return 0
    other = store.generations().other  # After log.read: a rebuild that starts later reads these events itself.
    if other is not None:
        with suppress(ModelAbsent):
            advance(store, log, projection, other)
    return position - cursor if store.advance(live, projection.fold(events), cursor, position) else 0


def advance(store: Store, log: Log, projection: Projection, generation: str) -> bool:
    """Advance a generation by one page. Return True if all its cursors moved.

    Start at the cursors in Redis. If a failover loses writes, it also resets the cursors, so these events are repeated.
    Raise ModelAbsent if a bucket is missing, or if the generation was built from another log.
    """
    cursor = store.cursor(generation, log.identity())
    if cursor is None:
        raise ModelAbsent
    events, position = log.read(cursor)
    return position > cursor and store.advance(generation, projection.fold(events), cursor, position)
