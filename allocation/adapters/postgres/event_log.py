"""The log: every event, appended by the transaction that made it true. It is the outbox, journal and rebuild source.

A lower position can commit after a higher one, so a reader must not pass positions that may still appear: this is the
fence. Until its end, each writer holds a shared advisory lock whose key is below all of its positions. A trigger takes
that lock. A reader stops at the smallest key that any writer holds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import orjson
from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.arrays import array, arrays
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.event_pages import EventPage, read_whole_transactions
from allocation.adapters.schemas.events import event_as_json, moment_as_text
from allocation.domain.events import Event
from allocation.service_layer.idempotency import EventRange
from allocation.service_layer.unit_of_work import LoggedEvent

FENCE_TAG = 0x2A11
APPENDED_AT_ONCE = 5_000
READ_AT_ONCE = 5_000
SEARCHED_AT_ONCE = 100_000
REBUILD_LOCK = 0x2A12 << 48

LAST_POSITION = text("SELECT last_value FROM events_position_seq")

# pg_locks shows the key of an advisory lock in two halves: classid has the upper 32 bits, objid the lower ones.
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
    """The log ends before the cursor: it has lost events that the views still show."""


def append(connection: Connection, events: Sequence[Event], at: datetime) -> list[LoggedEvent]:
    """Append the events of a transaction and return them as JSON data. COMMIT must follow: from now on readers wait.

    Very many events take several statements, so that one statement does not block the other threads of the process.
    """
    appended: list[LoggedEvent] = []
    moment = moment_as_text(at)
    for start in range(0, len(events), APPENDED_AT_ONCE):
        part = events[start : start + APPENDED_AT_ONCE]
        logged = [event_as_json(event, moment) for event in part]
        rows = [
            (event.sku, event.version, data["type"], event is events[-1], orjson.dumps(data).decode())
            for event, data in zip(part, logged, strict=True)
        ]
        connection.execute(statements.APPEND_EVENTS, arrays(statements.EVENT, rows))
        appended += logged
    return appended


def find(connection: Connection, ranges: Sequence[EventRange]) -> list[LoggedEvent]:
    """Return the events of these ranges, in log order."""
    if not ranges:
        return []
    wanted = arrays(EventRange._fields, ranges)
    return [orjson.loads(row.data) for row in connection.execute(statements.FIND_EVENTS, wanted)]


class EventLog:
    """Reads the log on the primary, in autocommit: a reader with a snapshot would miss events for good."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._identity: str | None = None

    def identity(self) -> str:
        """Return the random name that the log got when it was created. Dumps and replicas carry the same name."""
        if self._identity is None:
            with self._connection() as connection:
                self._identity = str(connection.execute(text("SELECT identity FROM log")).scalar_one())
        return self._identity

    def end(self) -> int:
        """Return the last position that was drawn. Events up to it may still be uncommitted."""
        with self._connection() as connection:
            return last_position(connection)

    def read(self, after: int, limit: int = READ_AT_ONCE) -> tuple[EventPage, int]:
        """Return whole transactions behind `after`, in order, and the cursor from which to read on.

        Every event at or below the returned cursor has been returned, now or earlier. An event above it may be returned
        again. Raises LogBehind if `after` is beyond the end of the log.
        """
        with self._connection() as connection:
            last, final = last_positions(connection)
            if after > last:
                raise LogBehind(f"The cursor is at {after}, the log ends at {last}")
            return read_whole_transactions(connection, after, final, limit)

    def read_types(
        self, types: Sequence[str], after: int, *, upto: int | None = None, limit: int = 1_000
    ) -> tuple[list[LoggedEvent], int]:
        """Return some events of these types behind `after`, in order, and the cursor from which to read on.

        Every such event at or below the returned cursor has been returned, now or earlier. The reader stops at `upto`.
        The cursor stays at `after` while nothing behind it is final.
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
        """Yield whether the caller holds the rebuild lock. Only its holder may rebuild from this log."""
        with self._connection() as connection, advisory_lock(connection, REBUILD_LOCK) as mine:
            yield mine

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with translated_errors(), self._engine.connect() as connection:
            yield connection


def last_position(connection: Connection) -> int:
    return int(connection.execute(LAST_POSITION).scalar_one())


def last_positions(connection: Connection) -> tuple[int, int]:
    """Return the last position that was drawn, and the fence: no event can appear at or below it any more."""
    # In this order: a writer that draws a position after the first read can only hold a key at or above it.
    last = last_position(connection)
    held = connection.execute(SMALLEST_HELD, {"tag": FENCE_TAG}).scalar()
    return last, last if held is None else min(last, held)


@contextmanager
def advisory_lock(connection: Connection, key: int) -> Iterator[bool]:
    """Yield whether the connection got the lock. It holds it until the context ends or the connection is lost."""
    mine = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one()
    try:
        yield mine
    finally:
        if mine and not connection.closed and not connection.invalidated:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
