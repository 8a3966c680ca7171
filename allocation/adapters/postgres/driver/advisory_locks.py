from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text


@contextmanager
def advisory_lock(connection: Connection, key: int) -> Iterator[bool]:
    """Yield True if the connection acquires the lock, or False if another connection holds it.

    The connection holds the lock until the context ends or the connection is lost.
    """
    mine = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one()
    try:
        yield mine
    finally:
        if mine and not connection.closed and not connection.invalidated:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
