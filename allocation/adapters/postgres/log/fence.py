"""The fence: a limit that a reader of the log must not pass, because a lower position may still appear.

A trigger makes each writer hold a shared advisory lock until its transaction ends. The key of the lock is below all
positions of the writer. A reader stops at the smallest key that a writer holds.
"""

from typing import NamedTuple

from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.driver.errors import READ_ONLY, STANDBY, translated_errors
from allocation.service_layer.unit_of_work import StoreUnavailable

FENCE_TAG = 0x2A11

READ_LAST_POSITION = text("SELECT last_value, pg_is_in_recovery() AS is_standby FROM events_position_seq")

# pg_locks shows the key of an advisory lock in two columns. classid has the upper 32 bits, and objid the lower 32 bits.
READ_SMALLEST_HELD_KEY = text("""
    SELECT min(((classid::bigint & 65535) << 32) | objid::bigint) FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = :tag
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")

READ_HOLDERS = text("""
    SELECT pid, CAST(extract(epoch FROM clock_timestamp() - xact_start) AS float), coalesce(state, 'hidden'),
           left(query, 200)
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = :tag
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND clock_timestamp() - xact_start > make_interval(secs => :older_than)
    GROUP BY pid, xact_start, state, query ORDER BY xact_start
""")


def last_position(connection: Connection) -> int:
    """Return the last assigned position. Raise StoreUnavailable if the server is a standby.

    A standby has no locks of writers, and its sequence is ahead of its events.
    """
    row = connection.execute(READ_LAST_POSITION).one()
    if row.is_standby:
        raise StoreUnavailable(STANDBY, READ_ONLY)
    return int(row.last_value)


def last_position_and_fence(connection: Connection) -> tuple[int, int]:
    """Return the last assigned position, and the fence. No other event can appear at or below the fence."""
    # The order matters. If this function read the locks first, a writer could lock and append before the second read.
    # The fence would then be above an uncommitted event.
    last = last_position(connection)
    held = connection.execute(READ_SMALLEST_HELD_KEY, {"tag": FENCE_TAG}).scalar()
    return last, last if held is None else min(last, held)


class Holder(NamedTuple):
    """A session that has appended events and has not ended its transaction. `statement` is its latest statement."""

    pid: int
    seconds: float
    state: str
    statement: str


def holders(engine: Engine, older_than: float) -> list[Holder]:
    """Return the sessions that hold the fence for more than `older_than` seconds, the oldest first.

    PostgreSQL hides the state and the statement of another role's session, unless this role may read them.
    """
    with translated_errors(), engine.connect() as connection:
        rows = connection.execute(READ_HOLDERS, {"tag": FENCE_TAG, "older_than": older_than})
        return [Holder(*row) for row in rows]
