"""The log of all events. It is the outbox, the journal and the source of a rebuild.

The transaction that changes the state also appends the events. An event can become visible after an event with a
higher position. So a reader must not pass a position at which an event may still appear. This limit is the fence.

A trigger makes each writer hold a shared advisory lock until its transaction ends. The key of the lock is below all
positions of the writer. A reader stops at the smallest key that a writer holds.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, repeat

import orjson
from sqlalchemy import Connection, Engine

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.advisory_locks import advisory_lock
from allocation.adapters.postgres.driver.arrays import arrays
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.driver.server import ServerDescription, database_in
from allocation.adapters.postgres.driver.transaction import PostgresTransaction
from allocation.adapters.postgres.log.event_pages import EventPage, read_whole_transactions
from allocation.adapters.postgres.log.fence import last_position, last_position_and_fence
from allocation.adapters.postgres.log.history import (
    Applied,
    begin_epoch,
    confirm,
    mark_at,
    read_history,
    read_log,
)
from allocation.adapters.postgres.log.view_letters import ViewLetters
from allocation.adapters.schemas.events import event_as_json, moment_as_text
from allocation.domain.changes import UNKNOWN, Origin
from allocation.domain.events import Event
from allocation.service_layer.idempotency import EventRange
from allocation.service_layer.unit_of_work import History, LoggedEvent

APPENDED_AT_ONCE = 5_000
READ_AT_ONCE = 5_000
REBUILD_LOCK = 0x2A12 << 48


class LogBehind(Exception):
    """The log ends before the cursor. The views show events that the log has lost."""


def append(
    transaction: PostgresTransaction,
    events: Sequence[Event],
    at: datetime,
    epoch: int,
    origins: Sequence[Origin] = (),
) -> list[LoggedEvent]:
    """Append the events of a transaction to the log, which is in this epoch. Return them as plain JSON data.

    `origins` has the origin of each event. A missing origin is unknown.

    The caller must commit next: readers can't pass these positions before the transaction ends. The statements travel
    with the commit, or earlier if they are long. Each has at most APPENDED_AT_ONCE events: one large statement would
    block the other threads of the process.
    """
    appended: list[LoggedEvent] = []
    moment = moment_as_text(at)
    all_origins = chain(origins, repeat(UNKNOWN))
    for start in range(0, len(events), APPENDED_AT_ONCE):
        part = events[start : start + APPENDED_AT_ONCE]
        logged = [event_as_json(event, moment, epoch, next(all_origins)) for event in part]
        rows = [
            (event.sku, event.version, data["type"], event is events[-1], orjson.dumps(data).decode())
            for event, data in zip(part, logged, strict=True)
        ]
        transaction.add(statements.APPEND_EVENTS, arrays(statements.EVENT_COLUMNS, rows))
        appended += logged
    return appended


def find(transaction: PostgresTransaction, ranges: Sequence[EventRange]) -> tuple[list[LoggedEvent], int]:
    """Return the events of these ranges in the order of the log, and the last of their positions, or 0."""
    if not ranges:
        return [], 0
    rows = transaction.query(statements.FIND_EVENTS, arrays(EventRange._fields, ranges))
    return [orjson.loads(data) for _, data in rows], rows[-1][0] if rows else 0


class EventLog:
    """Reads the log on the primary, in autocommit. The methods raise RetryableError and StoreUnavailable.

    Each statement needs its own snapshot. With a snapshot older than the fence, a reader would miss events permanently.
    """

    def __init__(self, engine: Engine, *, synchronous: bool = False) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._synchronous = synchronous
        self._description = ServerDescription()
        self.letters = ViewLetters(engine)

    def identity(self) -> str:
        """Return the random name of the log's history. A dump or a replica of the log has the same name at first."""
        with self._connection() as connection:
            return read_history(connection).identity

    def history(self, applied: Collection[Applied] = ()) -> History:
        """Return the log's history. First begin a new epoch if the log may have lost what readers have `applied`.

        Also begin a new epoch if the log is on another server. If replication is `synchronous`, a failover alone does
        not count.
        """
        with self._connection() as connection:
            return confirm(connection, self._description, applied, synchronous=self._synchronous)

    def adopt(self, applied: Collection[Applied]) -> History:
        """Begin a new epoch, because an operator has restored the database. Return the new history."""
        with self._connection() as connection:
            server = self._description.read(connection)
            reason = "an operator has adopted the database"
            return begin_epoch(connection, read_log(connection), server, applied, reason)

    def database(self) -> str:
        """Return a name of the database that holds the log. A copy of the database has another name.

        After a failover, it has the same name.
        """
        with self._connection() as connection:
            return database_in(self._description.read(connection))

    def end(self) -> int:
        """Return the last position that the sequence has assigned. Events up to it may still be uncommitted."""
        with self._connection() as connection:
            return last_position(connection)

    def read(self, after: int, limit: int = READ_AT_ONCE, *, beyond_fence: bool = False) -> tuple[EventPage, int]:
        """Return about `limit` events after position `after`, as whole transactions in order, and the next cursor.

        The reader has then received every event at or below that cursor. The next page may repeat events above the
        cursor. Raise LogBehind if the log ends before `after`. A reader that goes beyond the fence misses the events
        that are not committed yet.
        """
        with self._connection() as connection:
            last, fence = last_position_and_fence(connection)
            if after > last:
                raise LogBehind(f"The cursor is at position {after}, but the log ends at position {last}")
            page, cursor = read_whole_transactions(connection, after, last if beyond_fence else fence, limit)
            # On the same connection, and so from the same server.
            page.mark, page.end = mark_at(connection, cursor), last
            return page, cursor

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
