"""The cursors of the subscriptions. A subscription has handled or parked the log up to its cursor."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple
from zlib import crc32

from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.driver.advisory_locks import advisory_lock
from allocation.adapters.postgres.driver.errors import NOT_MIGRATED, translated_errors
from allocation.adapters.postgres.log.typed_entries import LogEntry, positions_of, read_types
from allocation.adapters.postgres.parked_events import ParkedEvents, Retries
from allocation.service_layer.unit_of_work import StoreUnavailable

SUBSCRIPTION_LOCK = 0x2A14 << 48
STORED_EVERY = 10_000

READ_CURSOR = text("SELECT cursor FROM subscriptions WHERE name = :name")
MOVE_CURSOR = text("UPDATE subscriptions SET cursor = :cursor WHERE name = :name")
READ_STATES = text("SELECT name, cursor, last_error, last_error_at, failing_since FROM subscriptions ORDER BY name")
NOTE_ERROR = text("""
    UPDATE subscriptions
    SET last_error = :error, last_error_at = clock_timestamp(),
        failing_since = coalesce(failing_since, clock_timestamp())
    WHERE name = :name
""")
NOTE_SUCCESS = text("UPDATE subscriptions SET failing_since = NULL WHERE name = :name AND failing_since IS NOT NULL")


class SubscriptionState(NamedTuple):
    """A row of a subscription. `failing_since` is None if it works. `last_error` stays when it works again.

    The stored cursor may be up to STORED_EVERY positions too low: see `Cursor.move`.
    """

    name: str
    cursor: int
    last_error: str | None
    last_error_at: datetime | None
    failing_since: datetime | None


def subscription_states(connection: Connection) -> list[SubscriptionState]:
    """Return the state of each subscription, sorted by name."""
    return [SubscriptionState(*row) for row in connection.execute(READ_STATES)]


def note_error(engine: Engine, name: str, error: str) -> None:
    """Store the error that interrupts the subscription. Raise RetryableError and StoreUnavailable."""
    with translated_errors(), engine.begin() as connection:
        connection.execute(NOTE_ERROR, {"name": name, "error": error})


class Cursor:
    """The cursor of one subscription. Only the process that holds the subscription's lock may move it.

    It reads the log in the session that holds the lock. If another server takes over, this session is lost. So the
    cursor of one history never reads the events of another one. The methods raise the driver's error then.
    """

    def __init__(self, connection: Connection, name: str, position: int) -> None:
        self.parked = ParkedEvents(connection, name)
        self.position = self._stored = position
        self._connection = connection
        self._name = name
        self._skipped_upto, self._not_skipped = 0, frozenset[str]()

    def read(self, types: Sequence[str], upto: int | None) -> tuple[list[LogEntry], int]:
        """Return the next events of these types, up to position `upto`, and the next cursor."""
        entries, position = read_types(self._connection, types, self.position, upto=upto)
        if self.position < self._skipped_upto:
            wanted, end = self._not_skipped, self._skipped_upto
            entries = [entry for entry in entries if entry.position > end or entry.name in wanted]
        return entries, position

    def skip(self, handled: Sequence[str], parked: Sequence[str]) -> None:
        """Skip the events up to the last one that has one of the names in `handled`, except those in `parked`.

        The database may have lost the letters of parked events together with the cursor. So `read` returns them again.
        """
        last = max(positions_of(self._connection, handled), default=0)
        if last <= self.position:
            return
        self._skipped_upto, self._not_skipped = last, frozenset(parked).difference(handled)
        again = positions_of(self._connection, sorted(self._not_skipped))
        start = min((position for position in again if self.position < position <= last), default=last + 1) - 1
        if start > self.position:
            self.move(start, handled=True)

    def move(self, position: int, *, handled: bool) -> None:
        """Move the cursor to `position`.

        If events were `handled`, store the cursor. Otherwise store it only every STORED_EVERY positions. If the
        connection is lost, raise the driver's error. Another process may then hold the lock.
        """
        self.position = position
        if handled or position - self._stored >= STORED_EVERY:
            self._connection.execute(MOVE_CURSOR, {"name": self._name, "cursor": position})
            self._stored = position

    def park(self, failed: Mapping[int, str | None], position: int, retries: Retries) -> None:
        """Move the cursor to `position`, and park these events: see `ParkedEvents.park`."""
        self.parked.park(failed, position, retries)
        self.position = self._stored = position

    def note_success(self) -> None:
        """Store that nothing interrupts the subscription now."""
        self._connection.execute(NOTE_SUCCESS, {"name": self._name})


@contextmanager
def locked_cursor(engine: Engine, name: str) -> Iterator[Cursor | None]:
    """Yield the subscription's cursor, or None if another process holds the subscription's lock.

    If the context ends with a driver's error, raise RetryableError or StoreUnavailable instead. Raise StoreUnavailable
    if the subscription has no row.
    """
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    key = SUBSCRIPTION_LOCK | crc32(name.encode())
    with translated_errors(), autocommit.connect() as connection, advisory_lock(connection, key) as mine:
        if mine:
            position = connection.execute(READ_CURSOR, {"name": name}).scalar()
            if position is None:
                raise StoreUnavailable(f"{NOT_MIGRATED}: the table subscriptions has no row for {name}", NOT_MIGRATED)
            yield Cursor(connection, name, int(position))
        else:
            yield None
