"""The unit of work on PostgreSQL: one transaction at READ COMMITTED that locks first and reads after."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, create_engine

from allocation.adapters import event_log
from allocation.adapters.errors import translated_errors
from allocation.adapters.repository import SqlProducts
from allocation.service_layer.unit_of_work import Keys, Message

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def engine_for(database_url: str, *, connections: int = 5) -> Engine:
    """An engine for short transactions. Opens no connection yet; make it after a fork, never before."""
    _, _, address = database_url.partition("://")
    return create_engine(
        f"postgresql+psycopg2://{address}",
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=5,
        connect_args={
            "connect_timeout": 5,
            "application_name": "allocation",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    )


class SqlUnitOfWork:
    def __init__(self, connection: Connection, keys: Keys, now: Clock) -> None:
        self.products = SqlProducts(connection, keys)
        self._connection = connection
        self._now = now

    def commit(self) -> Sequence[Message]:
        messages = event_log.find(self._connection, self.products.repeated())
        events = self.products.save()
        if events:
            messages += event_log.append(self._connection, events, self._now())
            self._connection.commit()
        return messages


@contextmanager
def unit_of_work(engine: Engine, keys: Keys, *, now: Clock = utc_now) -> Iterator[SqlUnitOfWork]:
    """Lock and read what the keys name. Rolls back what was not committed.

    Raises RetryableError where the transaction lost a race, StoreUnavailable where there is no database to be had.
    """
    with translated_errors(), engine.connect() as connection:
        yield SqlUnitOfWork(connection, keys, now)
