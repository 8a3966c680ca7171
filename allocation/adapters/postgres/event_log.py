"""The log: every event, in the transaction that made it true. Outbox, journal and rebuild source at once.

A reader behind a cursor must not pass a position below which another may still commit. So each writer holds, until it
ends, a shared advisory lock whose key is a position below all of its own (a trigger takes it); a reader stops at the
smallest key that is held.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import orjson
from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.arrays import array, arrays
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.event_pages import Messages, read_whole_transactions
from allocation.adapters.schemas.events import as_message, as_moment
from allocation.domain.events import Event
from allocation.service_layer.idempotency import Effects
from allocation.service_layer.unit_of_work import Message

FENCE_TAG = 0x2A11
APPENDED_AT_ONCE = 5_000
READ_AT_ONCE = 5_000
SEARCHED_AT_ONCE = 100_000
REBUILD_LOCK = 0x2A12 << 48

LAST_POSITION = text("SELECT last_value FROM events_position_seq")

# The key of an advisory lock stands in two halves: classid has the upper 32 bits, objid the lower.
SMALLEST_HELD = text("""
    SELECT min(((classid::bigint & 65535) << 32) | objid::bigint) FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = :tag
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")

READ_TYPES = text("""
    SELECT position, CAST(data AS text) FROM events
    WHERE position > :after AND position <= :upto AND type = ANY(CAST(:types AS text[])) ORDER BY position LIMIT :limit
""")


class LogBehind(Exception):
    """The log ends before the cursor: it has lost what the read model still tells of."""


def append(connection: Connection, events: Sequence[Event], at: datetime) -> list[Message]:
    """Append events as one transaction's. Last thing before its COMMIT: readers wait from here on.

    One statement; more only where there are so many that a statement would hold up the process's other threads.
    """
    messages: list[Message] = []
    moment = as_moment(at)
    for start in range(0, len(events), APPENDED_AT_ONCE):
        part = events[start : start + APPENDED_AT_ONCE]
        told = [as_message(event, moment) for event in part]
        rows = [
            (event.sku, event.version, message["type"], event is events[-1], orjson.dumps(message).decode())
            for event, message in zip(part, told, strict=True)
        ]
        connection.execute(statements.APPEND_EVENTS, arrays(statements.EVENT, rows))
        messages += told
    return messages


def find(connection: Connection, effects: Sequence[Effects]) -> list[Message]:
    """The events of those SKUs and versions, in order."""
    if not effects:
        return []
    wanted = arrays(Effects._fields, effects)
    return [orjson.loads(row.data) for row in connection.execute(statements.FIND_EVENTS, wanted)]


class EventLog:
    """Reads the log, from the primary, each statement on its own: under a snapshot it would miss events for good."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._identity: str | None = None

    def identity(self) -> str:
        """Drawn when the log was created; goes with it into dumps and replicas."""
        if self._identity is None:
            with self._connection() as connection:
                self._identity = str(connection.execute(text("SELECT identity FROM log")).scalar_one())
        return self._identity

    def end(self) -> int:
        """The position that the log has reached. Below it, some may still be uncommitted."""
        with self._connection() as connection:
            return last_position(connection)

    def read(self, after: int, limit: int = READ_AT_ONCE) -> tuple[Messages, int]:
        """Whole transactions behind `after`, in order, and the cursor from which to read on.

        Every event at or below the returned cursor has been returned, now or earlier. An event above it may come
        again. Raises LogBehind where `after` is beyond the log.
        """
        with self._connection() as connection:
            last, final = last_positions(connection)
            if after > last:
                raise LogBehind(f"The cursor is at {after}, the log ends at {last}")
            return read_whole_transactions(connection, after, final, limit)

    def read_types(
        self, types: Sequence[str], after: int, *, upto: int | None = None, limit: int = 1_000
    ) -> tuple[list[Message], int]:
        """Some of the events of those types behind `after`, in order, and the cursor from which to read on.

        Every one of them at or below the returned cursor has been returned, now or earlier. No event beyond `upto` is
        read. The cursor stays at `after` as long as nothing behind it is final.
        """
        with self._connection() as connection:
            _, final = last_positions(connection)
            end = min(final, after + SEARCHED_AT_ONCE, final if upto is None else upto)
            wanted = {"types": array(types), "after": after, "upto": end, "limit": limit}
            rows = connection.execute(READ_TYPES, wanted).all()
        cursor = rows[-1].position if len(rows) == limit else max(after, end)
        return [orjson.loads(row.data) for row in rows], cursor

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        """Whether the caller is the only one to rebuild from this log now."""
        with self._connection() as connection, advisory_lock(connection, REBUILD_LOCK) as mine:
            yield mine

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with translated_errors(), self._engine.connect() as connection:
            yield connection


def last_position(connection: Connection) -> int:
    return int(connection.execute(LAST_POSITION).scalar_one())


def last_positions(connection: Connection) -> tuple[int, int]:
    """The last position that was drawn, and the last one below which none can come any more: in this order."""
    last = last_position(connection)
    held = connection.execute(SMALLEST_HELD, {"tag": FENCE_TAG}).scalar()
    return last, last if held is None else min(last, held)


@contextmanager
def advisory_lock(connection: Connection, key: int) -> Iterator[bool]:
    """Whether the connection holds the lock; it does until this ends, or until the connection is lost."""
    mine = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one()
    try:
        yield mine
    finally:
        if mine and not connection.closed and not connection.invalidated:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
