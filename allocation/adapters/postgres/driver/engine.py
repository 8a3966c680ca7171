from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext

from allocation.adapters.postgres.driver.errors import is_unusable

READ_COMMITTED = "ISOLATION LEVEL READ COMMITTED"
"""The isolation of each transaction, whatever the default of the server is."""
BEGIN = "begin"
"""The execution option of an engine that has the first statements of a transaction."""
TIMEOUTS = {"lock_timeout": "5s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "5s"}
"""An idle transaction that has appended events holds back every reader of the log. So its limit is short."""
LIMIT_SESSION = "".join(
    f"SET {name} = '{value}'; "
    for name, value in {**TIMEOUTS, "default_transaction_isolation": "read committed"}.items()
)


def create_postgres_engine(
    database_url: str, *, connections: int = 5, direct: bool = False, timeouts: Mapping[str, str] = TIMEOUTS
) -> Engine:
    """Return an engine for short transactions. It opens its first connection on its first use.

    Create the engine after a fork: processes must not share connections. A `direct` engine sets the time-outs of its
    sessions. Other engines may connect to a pooler, whose sessions serve many clients. So each of their transactions
    sets its own time-outs, in its first round trip.
    """
    _, _, address = database_url.partition("://")
    engine = create_engine(
        f"postgresql+psycopg2://{address}",
        execution_options={BEGIN: begin(timeouts, direct=direct)},
        pool_size=connections,
        max_overflow=0,
        pool_timeout=5,
        connect_args={
            "connect_timeout": 5,
            "application_name": "allocation",
            "client_encoding": "utf8",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    )
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


def begin(timeouts: Mapping[str, str], *, direct: bool) -> str:
    return f"BEGIN {READ_COMMITTED}; {'' if direct else settings_of(timeouts)}"


def settings_of(timeouts: Mapping[str, str]) -> str:
    return "".join(f"SET LOCAL {name} = '{value}'; " for name, value in timeouts.items())
