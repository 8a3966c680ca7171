"""The cursors of the subscriptions. A subscription has handled the log up to its cursor."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from zlib import crc32

from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.driver.advisory_locks import advisory_lock
from allocation.adapters.postgres.driver.errors import NOT_MIGRATED, translated_errors
from allocation.adapters.postgres.log.event_log import last_of, read_types
from allocation.service_layer.unit_of_work import LoggedEvent, StoreUnavailable

SUBSCRIPTION_LOCK = 0x2A14 << 48
STORED_EVERY = 10_000

READ_CURSOR = text("SELECT cursor FROM subscriptions WHERE name = :name")
MOVE_CURSOR = text("UPDATE subscriptions SET cursor = :cursor WHERE name = :name")


class Cursor:
    """The cursor of one subscription. Only the process that holds the subscription's lock may move it.

    It reads the log in the session that holds the lock. If another server takes over, this session is lost. So the
    cursor of one history never reads the events of another one. The methods raise the driver's error then.
    """

    def __init__(self, connection: Connection, name: str, position: int) -> None:
        self._connection = connection
        self._name = name
        self.position = self._stored = position

    def read(self, types: Sequence[str], upto: int | None) -> tuple[list[LoggedEvent], int, list[str]]:
        """Return the next events of these types, up to position `upto`, with the next cursor and the events' names."""
        return read_types(self._connection, types, self.position, upto=upto)

    def skip(self, names: Sequence[str]) -> None:
        """Move the cursor to the last event that has one of these names, if the cursor is below it."""
        position = last_of(self._connection, names)
        if position > self.position:
            self.move(position, handled=True)

    def move(self, position: int, *, handled: bool) -> None:
        """Move the cursor to `position`.

        If events were `handled`, store the cursor. Otherwise store it only every STORED_EVERY positions. If the
        connection is lost, raise the driver's error. Another process may then hold the lock.
        """
        self.position = position
        if handled or position - self._stored >= STORED_EVERY:
            self._connection.execute(MOVE_CURSOR, {"name": self._name, "cursor": position})
            self._stored = position


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
