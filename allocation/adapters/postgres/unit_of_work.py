"""The unit of work on PostgreSQL: a transaction at READ COMMITTED that locks first and then reads.

It usually needs two round trips. The first string locks and reads. The second string writes and commits.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from allocation.adapters.clock import Clock, utc_now
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.driver.transaction import PostgresTransaction, open_transaction
from allocation.adapters.postgres.idempotency import SqlIdempotencyKeys, lock_keys
from allocation.adapters.postgres.log import event_log
from allocation.adapters.postgres.log.history import find_history
from allocation.adapters.postgres.migrations.revision import SchemaGate
from allocation.adapters.postgres.repository import SqlProducts, load_products
from allocation.adapters.postgres.statements import READ_OWN_POSITION
from allocation.domain.changes import Changes
from allocation.service_layer.idempotency import repeated_ranges
from allocation.service_layer.unit_of_work import FIRST_EPOCH, CommittedEvents, History, LockSet

NO_HISTORY = History("", FIRST_EPOCH)


class SqlUnitOfWork:
    """An open transaction that has locked its idempotency keys."""

    def __init__(
        self, transaction: PostgresTransaction, locks: LockSet, idempotency_keys: SqlIdempotencyKeys, now: Clock
    ) -> None:
        self.changes = Changes()
        self.idempotency_keys = idempotency_keys
        self._transaction = transaction
        self._locks = locks
        self._products: SqlProducts | None = None
        self._now = now

    @property
    def products(self) -> SqlProducts:
        """Lock and read the products on first use. A command with a stored outcome needs no product."""
        # Before Python 3.12, all instances share the lock of a cached_property. A thread that waits for the database
        # would block every other thread.
        if self._products is None:
            self._products = load_products(self._transaction, self._locks, self.changes)
        return self._products

    def commit(self) -> CommittedEvents:
        events = self.changes.events
        again = repeated_ranges(self.changes) + self.idempotency_keys.found_events
        published, position = event_log.find(self._transaction, again)
        history = self._history() if events or published else NO_HISTORY
        if events:
            self.products.save()
        if events or self.idempotency_keys.has_new_outcomes:
            if self._products is not None:
                self._products.delete_unused()
            self.idempotency_keys.save()
            published += event_log.append(self._transaction, events, self._now(), history.epoch, self.changes.origins)
            # Another history may have begun since the locks. The next rebuild then shows this transaction in it.
            for own, *after in self._transaction.commit(then=READ_OWN_POSITION if events else ""):
                return CommittedEvents(published, history.identity, History(*after), own)
        return CommittedEvents(published, history.identity, history, position)

    def _history(self) -> History:
        """Return the log's history after the transaction has locked its products. If it locked none, read it now."""
        locked = None if self._products is None else self._products.history
        return locked or find_history(self._transaction)


@contextmanager
def unit_of_work(engine: Engine, gate: SchemaGate, locks: LockSet, *, now: Clock = utc_now) -> Iterator[SqlUnitOfWork]:
    """Open a transaction and lock its idempotency keys. Roll back if the context ends without a commit.

    Raise StillRunning if another transaction holds a key for too long. Raise RetryableError if the transaction loses a
    race or its connection. Raise Busy at the lock time-out, and StoreUnavailable if the database is unavailable.
    """
    gate.check()
    with translated_errors(), open_transaction(engine) as opened:
        keys = lock_keys(opened, locks.idempotency_keys, locks.wait)
        yield SqlUnitOfWork(opened, locks, keys, now)
