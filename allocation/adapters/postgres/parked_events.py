"""The parked events of a subscription, as the process that runs the subscription uses them.

A parked event is one that the handler could not handle yet, or that waits behind an earlier event of its SKU. While a
SKU has parked events, its later events are parked, too. So the handler gets the events of a SKU in the order of the
log.
"""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from sqlalchemy import Connection, text

from allocation.adapters.postgres.driver.arrays import array
from allocation.adapters.postgres.log.typed_entries import LogEntry

HANDLED_AT_ONCE = 1_000

# Reads one row for each SKU, and not each row, because many events may wait behind one letter.
READ_HEADS = text("""
    WITH RECURSIVE heads AS (
        (SELECT subject, state, due_at FROM dead_letters WHERE subscription = :name ORDER BY subject, position LIMIT 1)
        UNION ALL
        SELECT later.* FROM heads, LATERAL (
            SELECT subject, state, due_at FROM dead_letters
            WHERE subscription = :name AND subject > heads.subject ORDER BY subject, position LIMIT 1
        ) AS later
    )
    SELECT subject, state = 'waiting' OR state = 'retry' AND due_at <= clock_timestamp() FROM heads
""")
# The event in the log may have been repaired.
READ_NEXT = text("""
    SELECT position, subject, coalesce(CAST(events.data AS text), CAST(letter.data AS text)) AS data, state
    FROM dead_letters AS letter LEFT JOIN events USING (position)
    WHERE subscription = :name AND subject = :sku AND position <= :upto ORDER BY position LIMIT :limit
""")
# One statement, so that a kill can't separate the letters from the cursor.
PARK_AND_MOVE = text("""
    WITH parked AS (
        INSERT INTO dead_letters
            (subscription, subject, position, version, type, data, state, attempts, error, failed_at, due_at)
        SELECT :name, sku, position, version, type, data,
               CASE WHEN error IS NULL THEN 'waiting' WHEN :most > 1 THEN 'retry' ELSE 'dead' END,
               CASE WHEN error IS NULL THEN 0 ELSE 1 END, error,
               CASE WHEN error IS NOT NULL THEN clock_timestamp() END,
               clock_timestamp() + make_interval(secs => CASE WHEN error IS NULL THEN 0 ELSE :pause END)
        FROM unnest(CAST(:positions AS bigint[]), CAST(:errors AS text[])) AS failed (position, error)
             JOIN events USING (position)
        ON CONFLICT (subscription, position) DO NOTHING
    )
    UPDATE subscriptions SET cursor = :cursor WHERE name = :name
""")
REMOVE = text("""
    DELETE FROM dead_letters WHERE subscription = :name AND position = ANY(CAST(:positions AS bigint[]))
""")
FAIL_AGAIN = text("""
    UPDATE dead_letters
    SET attempts = attempts + 1, error = :error, failed_at = clock_timestamp(),
        state = CASE WHEN attempts + 1 < :most THEN 'retry' ELSE 'dead' END,
        due_at = clock_timestamp() + make_interval(secs => :pause * power(2, attempts))
    WHERE subscription = :name AND position = :position RETURNING id, attempts, state = 'dead'
""")


class Retries(NamedTuple):
    """The number of attempts, and the seconds before the second one. Each further pause is twice as long."""

    attempts: int = 5
    pause: float = 1.0


RETRIES = Retries()


class Head(NamedTuple):
    """The SKU of parked events. `is_due` says whether the first of them may be handled now."""

    sku: str
    is_due: bool


class Failure(NamedTuple):
    """A letter after a failed attempt: its id, the number of attempts, and whether it is dead now."""

    id: int
    attempts: int
    is_dead: bool


class ParkedEvents:
    """The parked events of the subscription `name`. Only the process that holds the subscription's lock uses them.

    The connection is in autocommit. The methods raise the driver's errors.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def heads(self) -> list[Head]:
        """Return each SKU that has parked events."""
        return [Head(*row) for row in self._connection.execute(READ_HEADS, {"name": self._name})]

    def next(self, sku: str, upto: int) -> list[LogEntry]:
        """Return the first events of the SKU up to position `upto`. Stop before a dead letter."""
        wanted = {"name": self._name, "sku": sku, "upto": upto, "limit": HANDLED_AT_ONCE}
        rows = self._connection.execute(READ_NEXT, wanted).all()
        return [LogEntry(*row[:3]) for row in takewhile(lambda row: row.state != "dead", rows)]

    def park(self, failed: Mapping[int, str | None], cursor: int, retries: Retries) -> None:
        """Park events and move the cursor, both or neither. Ignore events that are parked already.

        `failed` maps each position to the error of the first attempt, or to None if the event waits.
        """
        wanted = {"positions": array(failed), "errors": array(failed.values()), "cursor": cursor}
        limits = {"most": retries.attempts, "pause": retries.pause}
        self._connection.execute(PARK_AND_MOVE, {"name": self._name, **wanted, **limits})

    def remove(self, positions: Sequence[int]) -> None:
        """Remove events that were handled."""
        self._connection.execute(REMOVE, {"name": self._name, "positions": array(positions)})

    def fail(self, position: int, error: str, retries: Retries) -> Failure | None:
        """Store a failed attempt. Return None if an operator has dropped the letter meanwhile."""
        wanted = {"name": self._name, "position": position, "error": error}
        limits = {"most": retries.attempts, "pause": retries.pause}
        row = self._connection.execute(FAIL_AGAIN, wanted | limits).first()
        return None if row is None else Failure(*row)
