"""Transactions that need few round trips: their statements wait until a result is needed, and then travel together.

In the simple query protocol, each statement of a string has a snapshot of its own. So a query sees everything that
other transactions committed before an earlier statement of its string acquired its locks.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Session  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from sqlalchemy import Engine

from allocation.adapters.postgres.driver.engine import BEGIN
from allocation.adapters.postgres.driver.errors import is_lost, is_unusable

LARGEST_STRING = 1_000_000
"""If more bytes than this wait, `add` sends them. One very long string would block the other threads."""

Values = Mapping[str, Any]


class PostgresTransaction:
    """An open transaction. `begin` travels with the first statement.

    The driver's errors pass through. After an error, the transaction can only be rolled back.
    """

    def __init__(self, cursor: Cursor, begin: str = "") -> None:
        self._cursor = cursor
        self._waiting = [begin.encode()] if begin else []
        self._size = 0

    def add(self, statement: str, values: Values | None = None) -> None:
        """Send the statement before the next query or the commit. It has no result."""
        self._add(self._cursor.mogrify(statement, values))
        if self._size > LARGEST_STRING:
            self.send()

    def query(self, statement: str, values: Values | None = None) -> list[tuple[Any, ...]]:
        """Send the statement after those that wait. Return its rows."""
        self._add(self._cursor.mogrify(statement, values))
        self.send()
        return self._cursor.fetchall()

    def commit(self) -> None:
        """Send the waiting statements, and commit."""
        self._add(b"COMMIT")
        self.send()

    def send(self) -> None:
        """Send the waiting statements."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        self._cursor.execute(b";\n".join(waiting))

    def _add(self, statement: bytes) -> None:
        self._waiting.append(statement)
        self._size += len(statement)


@contextmanager
def transaction(engine: Engine) -> Iterator[PostgresTransaction]:
    """Open a transaction at READ COMMITTED. Roll back if the context ends without a commit."""
    pool = engine.pool
    with engine.connect() as connection:
        session: Any = connection.connection.dbapi_connection
        try:
            with in_autocommit(session), session.cursor() as cursor:
                yield PostgresTransaction(cursor, engine.get_execution_options()[BEGIN])
        except psycopg2.Error as error:
            if is_lost(error) or is_unusable(error):
                connection.invalidate(error)
                if engine.pool is pool:
                    engine.dispose()  # The other sessions of the pool have the same fault.
            raise


@contextmanager
def in_autocommit(session: Session) -> Iterator[None]:
    """Let the caller send BEGIN and COMMIT. The driver would send BEGIN alone, which costs a round trip.

    Roll back at the end if the transaction is open: in autocommit, neither the driver nor the pool does so. Otherwise
    the next user would get the session with its locks.
    """
    session.autocommit = True
    try:
        yield
    finally:
        if not session.closed and session.info.transaction_status != TRANSACTION_STATUS_IDLE:
            with session.cursor() as cursor:
                cursor.execute("ROLLBACK")
        if not session.closed:
            session.autocommit = False
