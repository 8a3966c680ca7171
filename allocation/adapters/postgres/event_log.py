"""The log of all events. It is the outbox, the journal and the source of a rebuild.

The transaction that changes the state also appends the events. An event can become visible after an event with a
higher position. So a reader must not pass a position at which an event may still appear. This limit is the fence.

A trigger makes each writer hold a shared advisory lock until its transaction ends. The key of the lock is below all
positions of the writer. A reader stops at the smallest key that a writer holds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import orjson
from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.advisory_locks import advisory_lock
from allocation.adapters.postgres.driver.arrays import array, arrays
from allocation.adapters.postgres.driver.errors import NOT_MIGRATED, translated_errors
from allocation.adapters.postgres.event_pages import EventPage, read_whole_transactions
from allocation.adapters.postgres.fence import last_position, last_position_and_fence
from allocation.adapters.schemas.events import event_as_json, moment_as_text
from allocation.domain.events import Event
from allocation.service_layer.idempotency import EventRange
from allocation.service_layer.unit_of_work import LoggedEvent, StoreUnavailable

APPENDED_AT_ONCE = 5_000
READ_AT_ONCE = 5_000
SEARCHED_AT_ONCE = 100_000
REBUILD_LOCK = 0x2A12 << 48

READ_DATABASE = text("""
    SELECT concat(system_identifier, '-', oid) FROM pg_control_system(), pg_database WHERE datname = current_database()
""")

READ_EVENTS_OF_TYPES = text("""
    SELECT position, CAST(data AS text) FROM events
    WHERE position > :after AND position <= :upto AND type = ANY(CAST(:types AS text[])) ORDER BY position LIMIT :limit
""")


class LogBehind(Exception):
    """The log ends before the cursor. The views show events that the log has lost."""


def append(connection: Connection, events: Sequence[Event], at: datetime) -> list[LoggedEvent]:
    """Append the events of a transaction to the log. Return them as plain JSON data.

    The caller must commit next: readers can't pass these positions before the transaction ends. If the transaction has
    more than APPENDED_AT_ONCE events, this function sends several statements. One large statement would block the other
    threads of the process.
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
        connection.execute(statements.APPEND_EVENTS, arrays(statements.EVENT_COLUMNS, rows))
        appended += logged
    return appended


def find(connection: Connection, ranges: Sequence[EventRange]) -> list[LoggedEvent]:
    """Return the events of these ranges in the order of the log."""
    if not ranges:
        return []
    wanted = arrays(EventRange._fields, ranges)
    return [orjson.loads(row.data) for row in connection.execute(statements.FIND_EVENTS, wanted)]


class EventLog:
    """Reads the log on the primary, in autocommit. The methods raise RetryableError and StoreUnavailable.

    Each statement needs its own snapshot. With a snapshot older than the fence, a reader would miss events permanently.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._identity: str | None = None

    def identity(self) -> str:
        """Return the random name of the log. A dump or a replica of the log has the same name."""
        if self._identity is None:
            with self._connection() as connection:
                identity = connection.execute(text("SELECT identity FROM log")).scalar()
            if identity is None:
                raise StoreUnavailable(f"{NOT_MIGRATED}: the table log has no row", NOT_MIGRATED)
            self._identity = str(identity)
        return self._identity

    def database(self) -> str:
        """Return a name of the database that holds the log. A copy of the database has another name."""
        with self._connection() as connection:
            return str(connection.execute(READ_DATABASE).scalar_one())

    def end(self) -> int:
        """Return the last position that the sequence has assigned. Events up to it may still be uncommitted."""
        with self._connection() as connection:
            return last_position(connection)

    def read(self, after: int, limit: int = READ_AT_ONCE) -> tuple[EventPage, int]:
        """Return about `limit` events after position `after`, as whole transactions in order, and the next cursor.

        The reader has then received every event at or below that cursor. The next page may repeat events above the
        cursor. Raise LogBehind if the log ends before `after`.
        """
        with self._connection() as connection:
            last, fence = last_position_and_fence(connection)
            if after > last:
                raise LogBehind(f"The cursor is at position {after}, but the log ends at position {last}")
            return read_whole_transactions(connection, after, fence, limit)

    def read_types(
        self, types: Sequence[str], after: int, *, upto: int | None = None, limit: int = 1_000
    ) -> tuple[list[LoggedEvent], int]:
        """Return up to `limit` events of these types after position `after`, in order, and the next cursor.

        The reader has then received every event of these types at or below that cursor. The method does not read beyond
        position `upto`. It returns `after` as the cursor until a later position is final.
        """
        with self._connection() as connection:
            _, fence = last_position_and_fence(connection)
            end = min(fence, after + SEARCHED_AT_ONCE, fence if upto is None else upto)
            wanted = {"types": array(types), "after": after, "upto": end, "limit": limit}
            rows = connection.execute(READ_EVENTS_OF_TYPES, wanted).all()
        cursor = rows[-1].position if len(rows) == limit else max(after, end)
        return [orjson.loads(row.data) for row in rows], cursor

    @contextmanager
    def rebuild_lock(self) -> Iterator[bool]:
        """Yield True if the caller holds the rebuild lock, or False if another process holds it.

        Only the holder may rebuild the views from this log.
        """
        with self._connection() as connection, advisory_lock(connection, REBUILD_LOCK) as mine:
            yield mine

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with translated_errors(), self._engine.connect() as connection:
            yield connection
