"""Follows the log: applies to a generation what it does not have yet. Any number of processes may do so at once."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, Protocol

from readmodel.projector.fold import fold
from readmodel.store.store import ModelAbsent, Store

Events = Collection[Mapping[str, Any]]


class Log(Protocol):
    """Its methods may be called from any thread."""

    def identity(self) -> str:
        """The same for the same log, wherever it is; another one for any other."""

    def end(self) -> int:
        """The position that the log has reached; below it some events may still be uncommitted."""

    def read(self, after: int, limit: int = ...) -> tuple[Events, int]:
        """About `limit` events behind `after`, whole transactions in order, and the cursor from which to read on.

        Every event at or below that cursor has been returned, now or earlier. The cursor stays at `after` as long as
        nothing behind it is final.
        """


def follow(store: Store, log: Log) -> int:
    """Bring the live generation one page further; return by how many positions. 0 where there is nothing new.

    One that is being rebuilt is brought further first, so that readers don't go back in time when it becomes the live
    one. Raises ModelAbsent where a part of the live generation is gone, and what the log and Redis raise.
    """
    live = store.generations().live
    if live is None or (cursor := store.cursor(live, log.identity())) is None:
        raise ModelAbsent
    events, position = log.read(cursor)
    if position == cursor:
        return 0
    other = store.generations().other  # Now: the page of one announced later is covered by its catching up.
    if other is not None:
        with suppress(ModelAbsent):
            advance(store, log, other)
    return position - cursor if store.advance(live, fold(events), cursor, position) else 0


def advance(store: Store, log: Log, generation: str) -> bool:
    """Bring a generation one page further. It starts at the cursors in Redis: what a failover took back comes again."""
    cursor = store.cursor(generation, log.identity())
    if cursor is None:
        raise ModelAbsent
    events, position = log.read(cursor)
    return position > cursor and store.advance(generation, fold(events), cursor, position)
