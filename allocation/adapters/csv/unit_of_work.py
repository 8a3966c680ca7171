"""The unit of work on a folder of CSV files. It locks and reads the whole folder, and writes each file at most once.

It replaces batches.csv before allocations.csv. If the process dies between the two, lines may be left on a batch that
has shrunk; the next run reports them. The folder holds no log and no waiting lines. So a repeated command publishes
nothing, a deallocated line is forgotten, and a shipped line counts as allocated.
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
from allocation.service_layer.unit_of_work import LockSet, LoggedEvent, StoreUnavailable


class CsvUnitOfWork:
    def __init__(self, products: CsvProducts) -> None:
        self.products = products
        self.changes = products.changes

    @property
    def idempotency_keys(self) -> IdempotencyKeys:
        """Raises StoreUnavailable: the folder has no place for them."""
        raise StoreUnavailable("A folder of CSV files keeps no idempotency keys")

    def commit(self) -> Sequence[LoggedEvent]:
        with translated_errors():
            return LazyEvents(self.products.save(), moment_as_text(utc_now()))


class LazyEvents(Sequence[LoggedEvent]):
    """Events that become JSON data on access. Those of half a million lines would fill half a gigabyte."""

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
        return event_as_json(self._events[index], self._at)


@contextmanager
def unit_of_work(folder: Path, locks: LockSet) -> Iterator[CsvUnitOfWork]:
    """Lock and read the folder. Wait if another process holds it. Write nothing without a commit.

    Raises LineInDoubt if the lock set names such a line, and StoreUnavailable if the files can't be used.
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
