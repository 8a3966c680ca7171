"""The unit of work on PostgreSQL: one transaction at READ COMMITTED that locks first and reads after."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, create_engine

from allocation.adapters.postgres import event_log
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.idempotency import SqlOutcomes
from allocation.adapters.postgres.repository import SqlProducts
from allocation.domain.changes import Changes
from allocation.service_layer.idempotency import Effects
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
        self.changes = Changes()
        self.outcomes = SqlOutcomes(connection, keys.idempotency, keys.patience)
        self._connection = connection
        self._keys = keys
        self._products: SqlProducts | None = None
        self._now = now

    @property
    def products(self) -> SqlProducts:
        """Locked and read when they are first asked for: a command that was carried out before needs none."""
        # No cached_property: until Python 3.12 all threads wait for the one that waits for the database in it.
        if self._products is None:
            self._products = SqlProducts(self._connection, self._keys, self.changes)
        return self._products

    def commit(self) -> Sequence[Message]:
        events = self.changes.events
        repeated = [Effects(row.sku, row.version, row.version) for row in self.changes.repeated]
        messages = event_log.find(self._connection, repeated + self.outcomes.found)
        if events:
            self.products.save()
        if events or self.outcomes.kept:
            if self._products is not None:
                self._products.forget_refused()
            self.outcomes.save()
            messages += event_log.append(self._connection, events, self._now())
            self._connection.commit()
        return messages


@contextmanager
def unit_of_work(engine: Engine, keys: Keys, *, now: Clock = utc_now) -> Iterator[SqlUnitOfWork]:
    """Lock the idempotency keys; products are locked when they are asked for. Rolls back what was not committed.

    Raises RetryableError where the transaction lost a race, StoreUnavailable where there is no database to be had.
    """
    with translated_errors(), engine.connect() as connection:
        yield SqlUnitOfWork(connection, keys, now)
