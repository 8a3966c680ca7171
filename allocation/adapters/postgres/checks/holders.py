"""Sessions whose open transactions hold back others: readers of the log at the fence, and writers at a product.

A role without `pg_read_all_stats` sees the locks of other roles' sessions, but neither the age of their transactions
nor their statements. So this module then looks twice, and reports a transaction that holds back others both times.

It can't see prepared transactions, because they have no session.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.log.fence import FENCE_TAG

LONG = 1.0
"""Seconds. A transaction of the service usually holds its locks for a few milliseconds."""
HIDDEN = "hidden"

# A session waits for a row in a queue: the first one waits for the holder, and the others wait for the first one.
# So the chains of waiting sessions lead to the session that waits for nobody.
READ_HOLDERS = text("""
    WITH RECURSIVE waiting AS (
        SELECT DISTINCT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE NOT granted AND datname = current_database()
    ), blocked AS MATERIALIZED (
        SELECT pid, unnest(pg_blocking_pids(pid)) AS blocker FROM waiting
    ), chains AS (
        SELECT blocker AS pid, pid AS waiter FROM blocked WHERE blocker NOT IN (SELECT pid FROM waiting)
        UNION
        SELECT chains.pid, blocked.pid FROM blocked JOIN chains ON blocked.blocker = chains.waiter
    ), blockers AS (
        SELECT pid, count(*) AS blocks FROM chains GROUP BY pid
    ), locks AS (
        SELECT pid, min(virtualtransaction) AS transaction,
               bool_or(locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = :tag) AS fence,
               bool_or(locktype = 'relation' AND relation = to_regclass('products')
                       AND mode NOT IN ('AccessShareLock', 'ShareUpdateExclusiveLock')) AS product
        FROM pg_locks
        WHERE granted
          AND (database IS NULL OR database = (SELECT oid FROM pg_database WHERE datname = current_database()))
        GROUP BY pid
    )
    SELECT pid, transaction, CAST(extract(epoch FROM clock_timestamp() - xact_start) AS float) AS seconds,
           coalesce(state, :hidden) AS state, left(query, 200) AS statement, coalesce(usename, '') AS role,
           coalesce(locks.fence, false) AS fence, coalesce(locks.product, false) AS product,
           coalesce(blocks, 0) AS blocks
    FROM pg_stat_activity LEFT JOIN locks USING (pid) LEFT JOIN blockers USING (pid)
    WHERE pid <> pg_backend_pid() AND coalesce(clock_timestamp() - xact_start > make_interval(secs => :long), true)
      AND (blocks > 0 OR locks.fence OR locks.product AND (state IS NULL OR state LIKE 'idle in transaction%'))
    ORDER BY xact_start NULLS LAST, pid
""")


@dataclass(frozen=True)
class Holder:
    """A session with an open transaction. `statement` is its latest statement, at most 200 characters.

    - `seconds`: the age of the transaction, or None if PostgreSQL hides it; then it is at least LONG
    - `fence`: whether the readers of the log wait for it
    - `product`: whether it holds a lock on a product, or on the table
    - `blocks`: the number of sessions that wait for it
    """

    pid: int
    seconds: float | None
    state: str
    statement: str
    role: str
    fence: bool
    product: bool
    blocks: int


def read_holders(engine: Engine, pause: Callable[[float], None] = time.sleep) -> list[Holder]:
    """Return the sessions that have held back others for more than LONG seconds, the oldest first.

    A session that holds a lock on a product counts also if nobody waits for it, if it is idle. If PostgreSQL hides a
    session, this function takes LONG seconds. Raise RetryableError and StoreUnavailable.
    """
    found = look(engine)
    if any(holder.seconds is None for holder in found.values()):
        pause(LONG)
        again = look(engine)
        found = {key: holder for key, holder in again.items() if key in found or holder.seconds is not None}
    return list(found.values())


def look(engine: Engine) -> dict[tuple[int, str], Holder]:
    """Return the holders that are old enough, or whose age is hidden, by pid and transaction."""
    wanted = {"tag": FENCE_TAG, "hidden": HIDDEN, "long": LONG}
    with translated_errors(), engine.connect() as connection:
        return {
            (row.pid, row.transaction): Holder(*row[:1], *row[2:]) for row in connection.execute(READ_HOLDERS, wanted)
        }
