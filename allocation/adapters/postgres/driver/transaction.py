"""Transactions that need few round trips: their statements wait until a result is needed, and then travel together.

In the simple query protocol, each statement of a string has a snapshot of its own. So a query sees every commit that
precedes the locks of an earlier statement in its string.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INERROR
from psycopg2.extensions import connection as Session  # noqa: N812  # The driver names its classes in lower case.
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from sqlalchemy import Engine

from allocation.adapters.postgres.driver.engine import BEGIN, FAULTS, SENT, SessionFaults, ignore
from allocation.adapters.postgres.driver.errors import is_lost, is_unusable

SENT_AT = 1_000_000
"""If more bytes than this wait, `add` sends them. So a large transaction needs less memory."""

Values = Mapping[str, Any]


class PostgresTransaction:
    """A transaction that begins with its first string. `begin` has its first statements. It calls `sent` for each trip.

    The driver's errors pass through. After an error, the transaction can only be rolled back.
    """

    def __init__(self, cursor: Cursor, begin: str = "", sent: Callable[[], None] = ignore) -> None:
        self._cursor = cursor
        self._sent = sent
        self._waiting = [begin.encode()] if begin else []
        self._size = 0

    def add(self, statement: str, values: Values | None = None) -> None:
        """Send the statement with the next query or with the commit. Discard its rows. Its errors appear then."""
        self._add(self._cursor.mogrify(statement, values))
        if self._size > SENT_AT:
            self.send()

    def query(self, statement: str, values: Values | None = None) -> list[tuple[Any, ...]]:
        """Send the statement after those that wait. Return its rows."""
        self._add(self._cursor.mogrify(statement, values))
        self.send()
        return self._cursor.fetchall()

    def commit(self, then: str = "") -> list[tuple[Any, ...]]:
        """Send the waiting statements, and commit. Return the rows of the statement `then`, sent after the commit."""
        if self._cursor.connection.info.transaction_status == TRANSACTION_STATUS_INERROR:
            raise RuntimeError("PostgreSQL would roll back the transaction, because an earlier statement has failed")
        self._add(b"COMMIT")
        if then:
            self._add(then.encode())
        self.send()
        return self._cursor.fetchall() if then else []

    def send(self) -> None:
        """Send the waiting statements."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        self._sent()
        self._cursor.execute(b";\n".join(waiting))

    def _add(self, statement: bytes) -> None:
        self._waiting.append(statement)
        self._size += len(statement)


@contextmanager
def open_transaction(engine: Engine) -> Iterator[PostgresTransaction]:
    """Open a transaction at READ COMMITTED. Roll back if the context ends without a commit.

    The session is in autocommit meanwhile. Otherwise the driver would send BEGIN alone, which costs a round trip.
    """
    options = engine.get_execution_options()
    faults: SessionFaults = options[FAULTS]
    with engine.connect() as connection:
        session: Any = connection.connection.dbapi_connection
        is_usable = True
        try:
            session.autocommit = True
            with session.cursor() as cursor:
                yield PostgresTransaction(cursor, options[BEGIN], options[SENT])
        except psycopg2.Error as error:
            if is_lost(error) or is_unusable(error):
                faults.note()
                is_usable = False
            raise
        finally:
            if not (is_usable and has_ended(session)):
                connection.invalidate()


def has_ended(session: Session) -> bool:
    """Roll back if the transaction is open, and leave autocommit. Return False if the session is lost.

    In autocommit, neither the driver nor the pool rolls back. The next user would get the session with its locks.
    """
    try:
        if session.info.transaction_status != TRANSACTION_STATUS_IDLE:
            with session.cursor() as cursor:
                cursor.execute("ROLLBACK")
        session.autocommit = False
    except psycopg2.Error:
        return False
    return True
