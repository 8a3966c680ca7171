"""Notices that the log may have lost events, and begins a new epoch.

A log loses events if another server takes over without them, or if somebody restores an older copy. The database then
uses the same positions and versions again for other events. So the log gets a new identity, and the views of the former
history must be rebuilt.
"""

import logging
import re
from collections.abc import Collection, Iterator
from hashlib import sha256
from typing import Any, Protocol

from sqlalchemy import Connection, Row, text

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.errors import NOT_MIGRATED
from allocation.adapters.postgres.driver.server import ServerDescription, is_other_server, is_other_timeline, merged
from allocation.adapters.postgres.driver.transaction import PostgresTransaction
from allocation.service_layer.unit_of_work import History, StoreUnavailable

logger = logging.getLogger(__name__)

MOST_LOST, MOST_EPOCHS = 10_000_000, 1_000
"""A cursor or an epoch further above that of the log is damaged: it does not count as one that the log had."""
LEAP = 100_000
"""A number of positions. While the database executes one statement, writers use fewer positions than this."""

NO_EVENT = f"0 {'0' * 16}"

READ_LOG = text("""
    SELECT CAST(identity AS text), epoch, server, (SELECT last_value FROM events_position_seq) AS last,
           coalesce((SELECT max(position) FROM events), 0) AS top
    FROM log
""")
READ_LAST_EVENT = text("""
    SELECT position, CAST(data AS text) FROM events WHERE position <= :cursor ORDER BY position DESC LIMIT 1
""")
RECORD_SERVER = text("UPDATE log SET server = :server WHERE identity = CAST(:identity AS uuid)")
BEGIN_EPOCH = text("""
    UPDATE log SET identity = gen_random_uuid(), epoch = greatest(epoch, :seen) + 1, server = :server
    WHERE identity = CAST(:identity AS uuid)
""")
READ_HANDLED = text("SELECT coalesce(max(cursor), 0) FROM subscriptions")
# Each statement reads the sequence itself. A process may be suspended before the statement, while others raise it.
LEAP_TO = text("""
    SELECT setval('events_position_seq', :target - :leap) FROM events_position_seq
    WHERE last_value < :target - 2 * :leap
""")
STEP_TO = text("""
    SELECT count(nextval('events_position_seq'))
    FROM generate_series(1, (SELECT :target - last_value FROM events_position_seq))
""")


class Applied(Protocol):
    """The place that a reader has reached: a cursor, in the history with this identity and epoch.

    `mark` is what `mark_at` returned for this cursor, or for an earlier one.
    """

    @property
    def cursor(self) -> int: ...
    @property
    def identity(self) -> str: ...
    @property
    def epoch(self) -> int: ...
    @property
    def mark(self) -> str: ...


def read_history(connection: Connection) -> History:
    row = read_log(connection)
    return History(row.identity, row.epoch)


def find_history(transaction: PostgresTransaction) -> History:
    """Return the same history as `read_history`."""
    rows = transaction.query(statements.READ_HISTORY)
    if not rows:
        raise no_history()
    return History(*rows[0])


def confirm(
    connection: Connection, description: ServerDescription, applied: Collection[Applied], *, synchronous: bool
) -> History:
    """Return the log's history. Begin a new epoch if one of `reasons` applies.

    If replication is `synchronous`, another timeline alone does not count.
    """
    log, found = read_log(connection), description.read(connection)
    server = merged(log.server, found)
    reason = next(reasons(connection, log, found, applied, synchronous), None)
    if reason is not None:
        return begin_epoch(connection, log, server, applied, reason)
    if log.server != server:
        connection.execute(RECORD_SERVER, {"server": server, "identity": log.identity})
    return History(log.identity, log.epoch)


def reasons(
    connection: Connection, log: Row[Any], server: str, applied: Collection[Applied], synchronous: bool
) -> Iterator[str]:
    """Yield the reasons why the log may have lost events."""
    if log.server is not None:
        if is_other_server(log.server, server):
            yield f"the log is in another database: {log.server} became {server}"
        elif is_other_timeline(log.server, server) and not synchronous:
            yield f"another server has taken over: {log.server} became {server}"
    if log.last < log.top:
        yield f"the sequence of positions is at {log.last}, but the log has position {log.top}"
    yield from reasons_in_views(connection, log, applied)


def reasons_in_views(connection: Connection, log: Row[Any], applied: Collection[Applied]) -> Iterator[str]:
    for place in applied:
        if log.epoch < place.epoch <= log.epoch + MOST_EPOCHS:
            yield f"the views show epoch {place.epoch}, but the log is in epoch {log.epoch}"
        if place.identity == log.identity and place.cursor > log.last:
            yield f"the views show position {place.cursor}, but the log ends at position {log.last}"
    for mark in {place.mark for place in applied if place.identity == log.identity and place.mark}:
        cursor, position, _ = mark.split(" ")
        if mark_at(connection, int(cursor)) != mark:
            yield f"the event at position {position} is not the one that the views show"


def mark_at(connection: Connection, cursor: int) -> str:
    """Return the cursor, and the name of the last event at or below it."""
    row = connection.execute(READ_LAST_EVENT, {"cursor": cursor}).first()
    return f"{cursor} {name_of(*row) if row else NO_EVENT}"


def name_of(position: int, data: str) -> str:
    """Return the position of an event, and a hash of its data. In another history, no event has the same name."""
    return f"{position} {sha256(data.encode()).hexdigest()[:16]}"


def is_name(text: str) -> bool:
    return re.fullmatch("[0-9]{1,18} [0-9a-f]{16}", text) is not None


def begin_epoch(
    connection: Connection, log: Row[Any], server: str, applied: Collection[Applied], reason: str
) -> History:
    """Give the log a new identity and the next epoch. Raise the sequence first, above every position of the former one.

    `log` is the row of `read_log` that gave the reason. If another process has begun an epoch since, the log keeps it.
    If this process dies between the steps, the next call finds the same reason.
    """
    raise_sequence(connection, log, applied)
    seen = max((place.epoch for place in applied if place.epoch <= log.epoch + MOST_EPOCHS), default=0)
    begun = connection.execute(BEGIN_EPOCH, {"identity": log.identity, "seen": seen, "server": server})
    history = read_history(connection)
    if begun.rowcount:
        logger.warning("The log begins epoch %s: %s", history.epoch, reason)
    return history


def raise_sequence(connection: Connection, log: Row[Any], applied: Collection[Applied]) -> None:
    """Raise the sequence above every position that the log, a subscription or a reader has seen.

    Writers use positions meanwhile. STEP_TO never lowers the sequence. LEAP_TO stays LEAP positions above them.
    """
    believable = [place.cursor for place in applied if place.cursor <= log.last + MOST_LOST]
    target = max(log.top, connection.execute(READ_HANDLED).scalar_one(), *believable)
    connection.execute(LEAP_TO, {"target": target, "leap": LEAP})
    connection.execute(STEP_TO, {"target": target})


def read_log(connection: Connection) -> Row[Any]:
    row = connection.execute(READ_LOG).first()
    if row is None:
        raise no_history()
    return row


def no_history() -> StoreUnavailable:
    return StoreUnavailable(f"{NOT_MIGRATED}: the table log has no row", NOT_MIGRATED)
