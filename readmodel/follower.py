"""Follows the log: applies to a generation what it does not have yet. Any number of processes may do so at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from readmodel.projections import fold
from readmodel.store import ModelAbsent, Store


class Log(Protocol):
    def end(self) -> int:
        """The position that the log has reached; below it some events may still be uncommitted."""

    def read(self, after: int) -> tuple[Sequence[Mapping[str, Any]], int]:
        """Some of the events behind `after`, whole transactions in order, and the cursor from which to read on.

        Every event at or below that cursor has been returned, now or earlier. The cursor stays at `after` as long as
        nothing behind it is final.
        """


def follow(store: Store, log: Log) -> bool:
    """Bring the live generation one page further. False where there is nothing new.

    Raises ModelAbsent where a part of it is gone, and what the log and Redis raise.
    """
    live = store.generations().live
    if live is None:
        raise ModelAbsent
    return advance(store, log, live)


def advance(store: Store, log: Log, generation: str) -> bool:
    """The same for one generation. It starts at the cursors in Redis, so what a failover took back is applied again."""
    cursor = store.cursor(generation)
    if cursor is None:
        raise ModelAbsent
    events, position = log.read(cursor)
    return position > cursor and store.advance(generation, fold(events), cursor, position)
