"""Translates the driver's errors to those of the port, here and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from allocation.service_layer.unit_of_work import Busy, RetryableError, StoreUnavailable

LOST_RACES = {"40001", "40P01"}  # serialization failure, deadlock
UNIQUE_VIOLATION = "23505"
LOCK_TIMEOUT = "55P03"
UNAVAILABLE = (
    "08",  # connection
    "25006",  # read-only: no longer the primary
    "42P01",  # a table is missing: not migrated
    "53",  # resources
    "57",  # shutdown, statement time-out
)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise RetryableError for a lost race or connection, Busy for a lock time-out, StoreUnavailable without a server.

    Other errors of the driver are bugs and pass through.
    """
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable("Every database connection is in use") from error
    except DBAPIError as error:
        code = code_of(error)
        if code == LOCK_TIMEOUT:
            raise Busy(in_one_line(error.orig)) from error
        if code in LOST_RACES or is_duplicate_batch(error) or error.connection_invalidated:
            raise RetryableError(in_one_line(error.orig)) from error
        if code is None or code.startswith(UNAVAILABLE):
            raise StoreUnavailable(in_one_line(error.orig)) from error
        raise
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        # SQLAlchemy passes on the driver's own error if a connection turns out to be broken on its return to the pool.
        raise RetryableError(in_one_line(error)) from error


def code_of(error: DBAPIError) -> str | None:
    """Return PostgreSQL's error code, or None if the error did not come from the server."""
    return getattr(error.orig, "pgcode", None)


def in_one_line(error: BaseException | None) -> str:
    return " ".join(str(error).split())


def is_duplicate_batch(error: DBAPIError) -> bool:
    """Return whether another transaction has just created the same batch. The next attempt finds that batch."""
    diagnosis = getattr(error.orig, "diag", None)
    return (
        diagnosis is not None and diagnosis.sqlstate == UNIQUE_VIOLATION and diagnosis.constraint_name == "batches_pkey"
    )
