"""Follows the log and applies what a generation does not have yet. Any number of processes may do so at once."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, Protocol

from readmodel.projector.fold import Projection
from readmodel.store.snapshot import ModelAbsent
from readmodel.store.store import Store

Events = Collection[Mapping[str, Any]]


class Log(Protocol):
    """Any thread may call its methods."""

    def identity(self) -> str:
        """Return the log's random name. A copy of the log has the same name; any other log has another one."""

    def end(self) -> int:
        """Return the last position that was drawn. Events up to it may still be uncommitted."""

    def read(self, after: int, limit: int = ...) -> tuple[Events, int]:
        """Return about `limit` events behind `after`, as whole transactions in order, and the new cursor.

        Every event at or below that cursor has been returned, now or earlier. The cursor stays at `after` while nothing
        behind it is final.
        """


def follow(store: Store, log: Log, projection: Projection) -> int:
    """Advance the live generation by one page. Return by how many positions: 0 if there is nothing new.

    It first advances a generation that is being rebuilt, so that readers don't go back in time at the switch. Raises
    ModelAbsent if a part of the live generation is gone, and what the log and Redis raise.
    """
    live = store.generations().live
    if live is None or (cursor := store.cursor(live, log.identity())) is None:
        raise ModelAbsent
    events, position = log.read(cursor)
    if position == cursor:
        return 0
    other = store.generations().other  # After the page was read: a rebuild that starts later reads these events itself.
    if other is not None:
        with suppress(ModelAbsent):
            advance(store, log, projection, other)
    return position - cursor if store.advance(live, projection.fold(events), cursor, position) else 0


def advance(store: Store, log: Log, projection: Projection, generation: str) -> bool:
    """Advance a generation by one page. Return whether it moved.

    It starts at the cursors in Redis: if a failover has lost events, it applies them again.
    """
    cursor = store.cursor(generation, log.identity())
    if cursor is None:
        raise ModelAbsent
    events, position = log.read(cursor)
    return position > cursor and store.advance(generation, projection.fold(events), cursor, position)
