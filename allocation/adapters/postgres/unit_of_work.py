"""The unit of work on PostgreSQL: one transaction at READ COMMITTED that locks first and reads after."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from allocation.adapters.clock import Clock, utc_now
from allocation.adapters.postgres import event_log
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.idempotency import SqlIdempotencyKeys, lock_keys
from allocation.adapters.postgres.repository import SqlProducts, load_products
from allocation.domain.changes import Changes
from allocation.service_layer.idempotency import repeated_ranges
from allocation.service_layer.unit_of_work import LockSet, LoggedEvent


class SqlUnitOfWork:
    """A transaction whose idempotency keys are locked."""

    def __init__(
        self, connection: Connection, locks: LockSet, idempotency_keys: SqlIdempotencyKeys, now: Clock
    ) -> None:
        self.changes = Changes()
        self.idempotency_keys = idempotency_keys
        self._connection = connection
        self._locks = locks
        self._products: SqlProducts | None = None
        self._now = now

    @property
    def products(self) -> SqlProducts:
        """Lock and read the products on first use: a command that was executed before needs none."""
        # No cached_property: until Python 3.12, one thread that waits for the database in it blocks all others.
        if self._products is None:
            self._products = load_products(self._connection, self._locks, self.changes)
        return self._products

    def commit(self) -> Sequence[LoggedEvent]:
        events = self.changes.events
        again = repeated_ranges(self.changes) + self.idempotency_keys.found_events
        published = event_log.find(self._connection, again)
        if events:
            self.products.save()
        if events or self.idempotency_keys.has_new_outcomes:
            if self._products is not None:
                self._products.delete_unused()
            self.idempotency_keys.save()
            published += event_log.append(self._connection, events, self._now())
            self._connection.commit()
        return published


@contextmanager
def unit_of_work(engine: Engine, locks: LockSet, *, now: Clock = utc_now) -> Iterator[SqlUnitOfWork]:
    """Open a transaction and lock the idempotency keys. Roll back whatever is not committed.

    Raises RetryableError if the transaction loses a race, and StoreUnavailable if the database can't be used.
    """
    with translated_errors(), engine.connect() as connection:
        keys = lock_keys(connection, locks.idempotency_keys, locks.wait)
        yield SqlUnitOfWork(connection, locks, keys, now)
