"""The parked messages of a channel: the consumer could not execute them yet, or they wait behind an earlier message.

Several consumers may use the same channel. A consumer leases a message before it executes it. No transaction is open
meanwhile: the server ends idle transactions, and the message would be executed again after later ones.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.parked_events import RETRIES, Failure, Retries

LEASE = 60.0
"""Seconds in which no other consumer executes a leased message. If its consumer dies, it is due again after them."""

READ_IS_PARKED = text("SELECT EXISTS (SELECT FROM dead_letters WHERE subscription = :channel AND subject = :subject)")
PARK = text("""
    INSERT INTO dead_letters (subscription, subject, message, state, attempts, error, failed_at, due_at)
    SELECT :channel, :subject, :message,
           CASE WHEN error IS NULL THEN 'waiting' WHEN :most > 1 THEN 'retry' ELSE 'dead' END,
           CASE WHEN error IS NULL THEN 0 ELSE 1 END, error,
           CASE WHEN error IS NOT NULL THEN clock_timestamp() END,
           clock_timestamp() + make_interval(secs => CASE WHEN error IS NULL THEN 0 ELSE :pause END)
    FROM (SELECT CAST(:error AS text) AS error) AS attempt
""")
# The inner condition repeats that of the outer letter: the lock rereads a letter that another consumer has just leased.
LEASE_DUE = text("""
    WITH RECURSIVE heads AS (
        (SELECT id, subject FROM dead_letters
         WHERE subscription = :channel ORDER BY subject, position, id LIMIT 1)
        UNION ALL
        SELECT later.* FROM heads, LATERAL (
            SELECT id, subject FROM dead_letters
            WHERE subscription = :channel AND subject > heads.subject ORDER BY subject, position, id LIMIT 1
        ) AS later
    )
    UPDATE dead_letters SET due_at = clock_timestamp() + make_interval(secs => :lease)
    WHERE id = (
        SELECT letter.id FROM heads JOIN dead_letters AS letter USING (id)
        WHERE letter.state <> 'dead' AND letter.due_at <= clock_timestamp()
        ORDER BY letter.due_at, letter.id LIMIT 1 FOR UPDATE OF letter SKIP LOCKED
    )
    RETURNING id, message, due_at
""")
# A letter whose lease has ended may have another lease: its end is then another one.
REMOVE = text("DELETE FROM dead_letters WHERE id = :id AND due_at = :end")
RELEASE = text("UPDATE dead_letters SET due_at = clock_timestamp() WHERE id = :id AND due_at = :end")
FAIL_AGAIN = text("""
    UPDATE dead_letters
    SET attempts = attempts + 1, error = :error, failed_at = clock_timestamp(),
        state = CASE WHEN attempts + 1 < :most THEN 'retry' ELSE 'dead' END,
        due_at = clock_timestamp() + make_interval(secs => :pause * power(2, attempts))
    WHERE id = :id AND due_at = :end RETURNING id, attempts, state = 'dead'
""")


class Leased(NamedTuple):
    """A message that this consumer may execute until the time `end` of the server."""

    id: int
    message: bytes
    end: datetime


class ParkedMessages:
    """The methods raise RetryableError and StoreUnavailable. A pooler may be between them and the database."""

    def __init__(self, engine: Engine, channel: str, retries: Retries = RETRIES) -> None:
        self._engine = engine
        self._channel = channel
        self._retries = retries

    def has(self, subject: str) -> bool:
        """Return whether a message about this batch is parked. Later messages about it must then wait."""
        with self._begin() as connection:
            wanted = {"channel": self._channel, "subject": subject}
            return bool(connection.execute(READ_IS_PARKED, wanted).scalar_one())

    def park(self, subject: str, message: bytes, error: str | None) -> None:
        """Store a message with the error of its first attempt, or with None if it waits."""
        row = {"channel": self._channel, "subject": subject, "message": message, "error": error}
        with self._begin() as connection:
            connection.execute(PARK, row | {"most": self._retries.attempts, "pause": self._retries.pause})

    def lease(self) -> Leased | None:
        """Return the first message of a batch that is due, or None. Later ones wait until the caller settles it."""
        with self._begin() as connection:
            row = connection.execute(LEASE_DUE, {"channel": self._channel, "lease": LEASE}).first()
        return None if row is None else Leased(row.id, bytes(row.message), row.due_at)

    def settle(self, leased: Leased, error: str | None) -> Failure | None:
        """Remove the message, or store the error of this attempt and return the failure.

        Do nothing if an operator has dropped it, or if its lease has ended and another consumer has leased it.
        """
        found = {"id": leased.id, "end": leased.end}
        limits = {"most": self._retries.attempts, "pause": self._retries.pause}
        with self._begin() as connection:
            if error is None:
                connection.execute(REMOVE, found)
                return None
            failed = connection.execute(FAIL_AGAIN, found | {"error": error} | limits).first()
        return None if failed is None else Failure(*failed)

    def release(self, leased: Leased) -> None:
        """Make the message due again at once: the store was unavailable, and that is no attempt."""
        with self._begin() as connection:
            connection.execute(RELEASE, {"id": leased.id, "end": leased.end})

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with translated_errors(), self._engine.begin() as connection:
            yield connection
