"""The parked messages of a channel: the consumer could not execute them yet, or they wait behind an earlier message.

Several consumers may use the same channel. A transaction's advisory lock lets one of them at a time retry messages.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from zlib import crc32

from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.parked_events import RETRIES, Failure, Retries

MESSAGES_LOCK = 0x2A15 << 48

LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")
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
READ_DUE = text("""
    WITH RECURSIVE heads AS (
        (SELECT id, subject, state, due_at FROM dead_letters
         WHERE subscription = :channel ORDER BY subject, position, id LIMIT 1)
        UNION ALL
        SELECT later.* FROM heads, LATERAL (
            SELECT id, subject, state, due_at FROM dead_letters
            WHERE subscription = :channel AND subject > heads.subject ORDER BY subject, position, id LIMIT 1
        ) AS later
    )
    SELECT id, letter.message FROM heads JOIN dead_letters AS letter USING (id)
    WHERE heads.state = 'waiting' OR heads.state = 'retry' AND heads.due_at <= clock_timestamp()
    ORDER BY heads.due_at, id LIMIT 1
""")
REMOVE = text("DELETE FROM dead_letters WHERE id = :id")
FAIL_AGAIN = text("""
    UPDATE dead_letters
    SET attempts = attempts + 1, error = :error, failed_at = clock_timestamp(),
        state = CASE WHEN attempts + 1 < :most THEN 'retry' ELSE 'dead' END,
        due_at = clock_timestamp() + make_interval(secs => :pause * power(2, attempts))
    WHERE id = :id RETURNING id, attempts, state = 'dead'
""")


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

    def retry(self, execute: Callable[[bytes], str | None]) -> Failure | None:
        """Execute a message that is due, and remove it or store its error, which `execute` returns.

        Return the failure, or None. If this process is killed meanwhile, the message is executed again.
        """
        with self._begin() as connection:
            key = MESSAGES_LOCK | crc32(self._channel.encode())
            if not connection.execute(LOCK, {"key": key}).scalar_one():
                return None  # Another consumer retries messages now.
            row = connection.execute(READ_DUE, {"channel": self._channel}).first()
            if row is None:
                return None
            error = execute(bytes(row.message))
            if error is None:
                connection.execute(REMOVE, {"id": row.id})
                return None
            limits = {"most": self._retries.attempts, "pause": self._retries.pause}
            failed = connection.execute(FAIL_AGAIN, {"id": row.id, "error": error} | limits).first()
            return None if failed is None else Failure(*failed)

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with translated_errors(), self._engine.begin() as connection:
            yield connection
