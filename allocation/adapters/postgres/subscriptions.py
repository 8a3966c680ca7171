"""Subscriptions of the log: how far each has been told of its events."""

from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.event_log import advisory_lock

SUBSCRIPTION_LOCK = 0x2A14 << 48
KEPT_EVERY = 10_000

READ_CURSOR = text("SELECT cursor FROM subscriptions WHERE name = :name")
MOVE_CURSOR = text("UPDATE subscriptions SET cursor = :cursor WHERE name = :name")


class Cursor:
    """The place of a subscription in the log; its holder alone moves it."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self.position = self._kept = int(connection.execute(READ_CURSOR, {"name": name}).scalar_one())

    def move(self, position: int, *, told: bool) -> None:
        """What was told up to there is not told again. Where nothing was, it is enough to remember it now and then.

        Raises RetryableError where the lock went with its connection: another may hold it now.
        """
        self.position = position
        if told or position - self._kept >= KEPT_EVERY:
            self._connection.execute(MOVE_CURSOR, {"name": self._name, "cursor": position})
            self._kept = position


@contextmanager
def held(engine: Engine, name: str) -> Iterator[Cursor | None]:
    """The cursor of a subscription, for the only process that may tell it now; None for the others."""
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    key = SUBSCRIPTION_LOCK | crc32(name.encode())
    with translated_errors(), autocommit.connect() as connection, advisory_lock(connection, key) as mine:
        yield Cursor(connection, name) if mine else None
