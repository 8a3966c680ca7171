"""The unit of work on a folder of CSV files.

It locks and reads the whole folder. A commit replaces batches.csv and then allocations.csv. If the process dies between
these steps, allocations.csv may allocate more units than a batch has. The next run reports these rows.

The folder has no log. So a repeated command publishes nothing. The folder stores only the lines that have a batch. It
does not store which lines were shipped: the next run reads them as allocated lines.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import overload

from allocation.adapters.clock import utc_now
from allocation.adapters.csv.folder import locked
from allocation.adapters.csv.repository import CsvProducts, read_products
from allocation.adapters.csv.rows import BadFile
from allocation.adapters.schemas.events import event_as_json, moment_as_text
from allocation.domain.events import Event
from allocation.service_layer.idempotency import IdempotencyKeys
from allocation.service_layer.unit_of_work import (
    FIRST_EPOCH,
    CommittedEvents,
    LockSet,
    LoggedEvent,
    StoreUnavailable,
)


class CsvUnitOfWork:
    def __init__(self, products: CsvProducts) -> None:
        self.products = products
        self.changes = products.changes

    @property
    def idempotency_keys(self) -> IdempotencyKeys:
        """Raise StoreUnavailable: a folder can't store idempotency keys."""
        raise StoreUnavailable("A folder of CSV files can't store idempotency keys")

    def commit(self) -> CommittedEvents:
        with translated_errors():
            return CommittedEvents(LazyEvents(self.products.save(), moment_as_text(utc_now())), identity="")


class LazyEvents(Sequence[LoggedEvent]):
    """Converts each event to plain JSON data on access. Half a million converted events would fill half a gigabyte."""

    def __init__(self, events: Sequence[Event], at: str) -> None:
        self._events = events
        self._at = at

    def __len__(self) -> int:
        return len(self._events)

    @overload
    def __getitem__(self, index: int) -> LoggedEvent: ...
    @overload
    def __getitem__(self, index: slice) -> "LazyEvents": ...
    def __getitem__(self, index: int | slice) -> "LoggedEvent | LazyEvents":
        if isinstance(index, slice):
            return LazyEvents(self._events[index], self._at)
        return event_as_json(self._events[index], self._at, FIRST_EPOCH)


@contextmanager
def unit_of_work(folder: Path, locks: LockSet) -> Iterator[CsvUnitOfWork]:
    """Lock and read the folder. If another process holds the lock, wait. Without a commit, the files do not change.

    Raise LineInDoubt if the lock set names a line in doubt. Raise StoreUnavailable if the folder or a file is unusable.
    """
    with ExitStack() as stack:
        with translated_errors():
            stack.enter_context(locked(folder))
            uow = CsvUnitOfWork(read_products(folder))
        uow.products.refuse_in_doubt(locks.lines)
        yield uow


@contextmanager
def translated_errors() -> Iterator[None]:
    try:
        yield
    except BadFile as error:
        raise StoreUnavailable(str(error)) from error
