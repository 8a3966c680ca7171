import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text


@contextmanager
def lock_waits(engine: Engine) -> Iterator[set[int]]:
    """The sessions that were seen to wait for another's row lock."""
    seen: set[int] = set()
    done = threading.Event()

    def look() -> None:
        query = text("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not done.is_set():
                seen.update(connection.execute(query).scalars())

    observer = threading.Thread(target=look)
    observer.start()
    try:
        yield seen
    finally:
        done.set()
        observer.join()


def waiting(engine: Engine, statement: str) -> int:
    """How many wait for a lock in such a statement."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE :like"
    with engine.connect() as connection:
        return int(connection.execute(text(query), {"like": f"%{statement}%"}).scalar_one())
