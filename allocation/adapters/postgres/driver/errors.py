"""Translates the errors of SQLAlchemy and psycopg2 to the errors of the port."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from allocation.service_layer.unit_of_work import Busy, RetryableError, StoreUnavailable

LOST_RACES = {"40001": "serialization", "40P01": "deadlock"}
"""Maps the code of a lost race to its short name."""
UNIQUE_VIOLATION = "23505"
LOCK_TIMEOUT = "55P03"
DISK_FULL = "53100"
NOT_MIGRATED = "the database is not migrated"
READ_ONLY = "the database is read-only"
STANDBY = "the database is a standby"
REASONS = {
    "25006": READ_ONLY,
    "42501": "the database refuses access",
    DISK_FULL: "the disk of the database is full",
    "42P01": NOT_MIGRATED,  # a table is missing
    "42703": NOT_MIGRATED,  # a column is missing
    "42883": NOT_MIGRATED,  # a function is missing
    "42P10": NOT_MIGRATED,  # a unique constraint is missing
    "42804": NOT_MIGRATED,  # a column has another type
    "42809": NOT_MIGRATED,  # another kind of object has the name of a table
    "3F000": NOT_MIGRATED,  # a schema is missing
}
"""Maps a code to the reason why no command can succeed."""
UNAVAILABLE = (
    "08",  # connection failure
    "28",  # wrong role or password
    "3D",  # missing database
    "53",  # insufficient resources
    "57",  # shutdown or statement time-out
    "58",  # error of the operating system, for example of the disk
    "XX",  # internal error, for example a damaged page
)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate the errors of SQLAlchemy and of the driver. Other errors are bugs and pass through.

    - RetryableError: the transaction lost a race or its connection.
    - Busy: the transaction reached the lock time-out.
    - StoreUnavailable: the pool has no free connection, or the server can't execute the transaction now.
    """
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable("Every database connection is in use") from error
    except DBAPIError as error:
        if translated := translate(error.orig, lost=error.connection_invalidated):
            raise translated from error
        raise
    except psycopg2.Error as error:
        if translated := translate(error, lost=is_lost(error)):
            raise translated from error
        raise


def translate(error: BaseException | None, *, lost: bool) -> RetryableError | StoreUnavailable | None:
    """Return the error of the port, or None if the error is a bug. `lost` says whether the connection is lost."""
    code = code_of(error)
    if code == LOCK_TIMEOUT:
        return Busy(message_of(error))
    if code in REASONS:
        return StoreUnavailable(f"{REASONS[code]}: {message_of(error)}", REASONS[code])
    if code in LOST_RACES or is_transient_duplicate(error) or lost:
        retryable = RetryableError(message_of(error))
        retryable.reason = LOST_RACES.get(code or "") or ("connection" if lost else "duplicate")
        return retryable
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) and code is None:
        return StoreUnavailable(message_of(error))
    if code is not None and code.startswith(UNAVAILABLE):
        return StoreUnavailable(message_of(error))
    return None


def is_lost(error: psycopg2.Error) -> bool:
    """Return whether the connection is lost. A loss that the driver detects has no code."""
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) and code_of(error) is None:
        return True
    return error.cursor is not None and error.cursor.connection.closed != 0


def is_unusable(error: BaseException | None) -> bool:
    """Return whether the session is the cause of the error. A new session may reach another server or schema."""
    code = code_of(error)
    return code in REASONS and code != DISK_FULL


def code_of(error: BaseException | None) -> str | None:
    """Return PostgreSQL's error code, or None if the server did not send the error."""
    return getattr(error, "pgcode", None)


def message_of(error: BaseException | None) -> str:
    """Return the server's message in one line, without the statement that the driver's text quotes."""
    diagnosis = getattr(error, "diag", None)
    message = None if diagnosis is None else diagnosis.message_primary
    return " ".join((message or str(error)).split())


def is_transient_duplicate(error: BaseException | None) -> bool:
    """Return whether the duplicate key can disappear in a new attempt.

    Another transaction has just created the same batch, and a new attempt finds it. Or the sequence of positions is
    behind the log, and the relay raises it soon.
    """
    diagnosis = getattr(error, "diag", None)
    return (
        diagnosis is not None
        and diagnosis.sqlstate == UNIQUE_VIOLATION
        and diagnosis.constraint_name in {"batches_pkey", "events_pkey"}
    )
