"""Observes sessions of PostgreSQL that wait for locks, so that a test can prove its race."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text


@contextmanager
def lock_waits(engine: Engine) -> Iterator[set[int]]:
    """Yield a set. While the block runs, a thread adds the process id of each session that waits for a lock."""
    seen: set[int] = set()
    done = threading.Event()

    def observe() -> None:
        query = text("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not done.is_set():
                seen.update(connection.execute(query).scalars())

    observer = threading.Thread(target=observe)
    observer.start()
    try:
        yield seen
    finally:
        done.set()
        observer.join()


def waiting(engine: Engine, statement: str) -> int:
    """Return the number of sessions that wait for a lock in a statement that contains `statement`."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE :like"
    with engine.connect() as connection:
        return int(connection.execute(text(query), {"like": f"%{statement}%"}).scalar_one())
