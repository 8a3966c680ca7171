"""The lock of the process that verifies the views continuously."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.driver.advisory_locks import advisory_lock
from allocation.adapters.postgres.driver.errors import translated_errors

VERIFICATION_LOCK = 0x2A15 << 48


class HeldLock:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def check(self) -> None:
        """If the connection is lost, raise the driver's error. Another process may then hold the lock."""
        self._connection.execute(text("SELECT"))


@contextmanager
def verification_lock(engine: Engine) -> Iterator[HeldLock | None]:
    """Yield the lock, or None if another process holds it.

    If the context ends with a driver's error, raise RetryableError or StoreUnavailable instead.
    """
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with translated_errors(), autocommit.connect() as connection, advisory_lock(connection, VERIFICATION_LOCK) as mine:
        yield HeldLock(connection) if mine else None
