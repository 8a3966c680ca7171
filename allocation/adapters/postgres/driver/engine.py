import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from allocation.adapters.postgres.driver.errors import is_unusable

READ_COMMITTED = "ISOLATION LEVEL READ COMMITTED"
"""The isolation of each transaction. The server may have another default."""
BEGIN, FAULTS, SENT = "begin", "faults", "sent"
"""The names of options of an engine: the first statements of its transactions, its SessionFaults, and a function.

A PostgresTransaction calls the function for each trip.
"""
TIMEOUTS = {"lock_timeout": "5s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "5s"}
"""An idle transaction that has appended events holds back every reader of the log. So its limit is short."""
LIMIT_SESSION = "".join(f"SET {name} = '{value}'; " for name, value in TIMEOUTS.items())
CONNECTION = {
    "connect_timeout": 5,
    "application_name": "allocation",
    "client_encoding": "utf8",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""The arguments of each connection. A lost server is noticed after half a minute."""
OPENED = "opened"
"""The name under which the pool keeps the moment at which a session was opened."""


class SessionFaults:
    """Replaces the sessions that were opened before a session was lost or unusable: they may have the same fault."""

    def __init__(self) -> None:
        self._last = 0.0

    def note(self) -> None:
        self._last = time.monotonic()

    def on_connect(self, _: object, record: ConnectionPoolEntry) -> None:
        record.info[OPENED] = time.monotonic()

    def on_checkout(self, _: object, record: ConnectionPoolEntry, __: object) -> None:
        """Make the pool open a new session instead of an old one."""
        if record.info[OPENED] <= self._last:
            raise DisconnectionError


def ignore() -> None:
    return


def create_postgres_engine(
    database_url: str,
    *,
    connections: int = 5,
    direct: bool = False,
    timeouts: Mapping[str, str] = TIMEOUTS,
    sent: Callable[[], None] = ignore,
) -> Engine:
    """Return an engine for short transactions. It opens its first connection on its first use.

    Create the engine after a fork: processes must not share connections. A `direct` engine sets the time-outs of its
    sessions. Other engines may connect to a pooler, whose sessions serve many clients. So each of their transactions
    sets its own time-outs, in its first round trip. `sent` is called for each string of a PostgresTransaction.
    """
    _, _, address = database_url.partition("://")
    faults = SessionFaults()
    engine = create_engine(
        f"postgresql+psycopg2://{address}",
        execution_options={BEGIN: first_statements(timeouts, direct=direct), FAULTS: faults, SENT: sent},
        # The driver would send one more statement when a session leaves autocommit, so only direct engines use it.
        **({"isolation_level": "READ COMMITTED"} if direct else {}),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=5,
        connect_args=CONNECTION,
    )
    event.listen(engine, "connect", faults.on_connect)
    event.listen(engine, "checkout", faults.on_checkout)
    event.listen(engine, "handle_error", discard_unusable_sessions)
    if direct:
        event.listen(engine, "connect", limit_session)
    else:
        event.listen(engine, "begin", mark_new_transaction)
        settings = f"SET TRANSACTION {READ_COMMITTED}; {settings_of(timeouts)}"
        event.listen(engine, "before_cursor_execute", partial(limit_transaction, settings), retval=True)
    return engine


def discard_unusable_sessions(context: ExceptionContext) -> None:
    """Open new sessions after an error that a new session may not have.

    For example, the session is read-only because another server is the primary now, or it has an old search_path.
    """
    if is_unusable(context.original_exception):
        context.is_disconnect = True


def limit_session(connection: Any, _: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(LIMIT_SESSION)
    connection.commit()


def mark_new_transaction(connection: Connection) -> None:
    connection.info["new transaction"] = True


def limit_transaction(
    settings: str,
    connection: Connection,
    _cursor: object,
    statement: str,
    parameters: Any,
    _context: object,
    _many: bool,
) -> tuple[str, Any]:
    """Set the time-outs in the same round trip as the transaction's first statement."""
    if connection.info.pop("new transaction", False):
        return settings + statement, parameters
    return statement, parameters


def first_statements(timeouts: Mapping[str, str], *, direct: bool) -> str:
    return f"BEGIN {READ_COMMITTED}; {'' if direct else settings_of(timeouts)}"


def settings_of(timeouts: Mapping[str, str]) -> str:
    return "".join(f"SET LOCAL {name} = '{value}'; " for name, value in timeouts.items())
