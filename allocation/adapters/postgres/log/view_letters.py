"""Parks the events that the views can't apply, and reads the state that the views then show instead."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Engine, text

from allocation.adapters.postgres.checks.state import StateReader
from allocation.adapters.postgres.dead_letters import VIEWS
from allocation.adapters.postgres.driver.arrays import array
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.log.event_pages import EventPage
from allocation.service_layer.unit_of_work import LoggedEvent

PARK = text(f"""
    WITH found AS (
        SELECT position, sku, version, type, data, reason
        FROM events JOIN unnest(CAST(:texts AS text[]), CAST(:reasons AS text[])) AS faulty (event, reason)
             ON CAST(data AS text) = event
        WHERE position > :after AND position <= :reach
    ), parked AS (
        INSERT INTO dead_letters
            (subscription, subject, position, version, type, data, state, attempts, error, failed_at)
        SELECT '{VIEWS}', sku, position, version, type, data, 'dead', 1, reason, clock_timestamp() FROM found
        ON CONFLICT (subscription, position) DO NOTHING RETURNING position
    )
    SELECT position, sku, version, type, reason, position IN (SELECT position FROM parked) AS is_new
    FROM found ORDER BY position
""")
KEEP_ONLY = text(f"""
    DELETE FROM dead_letters
    WHERE subscription = '{VIEWS}' AND position <= :upto AND position <> ALL(CAST(:positions AS bigint[]))
""")
READ_RETRIES = text(f"""
    SELECT position, subject, version, letter.type,
           coalesce(CAST(events.data AS text), CAST(letter.data AS text)) AS event
    FROM dead_letters AS letter LEFT JOIN events USING (position, version)
    WHERE subscription = '{VIEWS}' AND state = 'retry' ORDER BY position LIMIT 1000
""")
REMOVE = text(f"DELETE FROM dead_letters WHERE subscription = '{VIEWS}' AND position = :position")
FAIL_AGAIN = text(f"""
    UPDATE dead_letters SET state = 'dead', attempts = attempts + 1, error = :error, failed_at = clock_timestamp()
    WHERE subscription = '{VIEWS}' AND position = :position
""")


class ParkedEvent(NamedTuple):
    """An event that the views can't apply. `is_new` says whether this call has parked it."""

    position: int
    sku: str
    version: int
    type: str
    reason: str
    is_new: bool = False


class ViewLetters:
    """The dead letters of the views. The methods raise RetryableError and StoreUnavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._state = StateReader(engine)

    def park(self, page: EventPage, reasons: Mapping[str, str]) -> list[ParkedEvent]:
        """Store the events of the page that have one of these texts, each with its reason. Return them.

        A repeated call stores nothing.
        """
        wanted = {"texts": array(reasons), "reasons": array(reasons.values()), "after": page.after, "reach": page.reach}
        with translated_errors(), self._engine.connect() as connection:
            return [ParkedEvent(*row) for row in connection.execute(PARK, wanted)]

    def states(self, sku: str, since: int) -> Iterator[list[LoggedEvent]]:
        """Yield pages of events with the state of the product and of its rows that have changed since that version."""
        return self._state.changed(sku, since)

    def keep_only(self, positions: Sequence[int], upto: int) -> None:
        """Remove the letters up to position `upto`, except these: new views show the other events."""
        with translated_errors(), self._engine.connect() as connection:
            connection.execute(KEEP_ONLY, {"positions": array(positions), "upto": upto})

    def retries(self) -> list[tuple[ParkedEvent, str]]:
        """Return the events that an operator wants to retry, and their texts in the log."""
        with translated_errors(), self._engine.connect() as connection:
            rows = connection.execute(READ_RETRIES)
            return [(ParkedEvent(row.position, row.subject, row.version, row.type, ""), row.event) for row in rows]

    def settle(self, position: int, error: str | None) -> None:
        """Remove a letter that was applied, or store why it failed again."""
        with translated_errors(), self._engine.connect() as connection:
            if error is None:
                connection.execute(REMOVE, {"position": position})
            else:
                connection.execute(FAIL_AGAIN, {"position": position, "error": error})
