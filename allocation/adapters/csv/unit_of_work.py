"""The unit of work on a folder of CSV files: all of it is locked and read, and each file written once, if at all.

batches.csv is replaced before allocations.csv: a process that dies between them leaves lines on a batch that has been
cut, which the next one reports. Lines that wait are not kept, nor is there a log: what was asked before is not handed
on again, a line that was taken back is one that never was, and one that was shipped is allocated.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import overload

from allocation.adapters.csv.folder import locked
from allocation.adapters.csv.repository import CsvProducts
from allocation.adapters.csv.rows import BadFile
from allocation.adapters.schemas.events import as_message, as_moment
from allocation.domain.events import Event
from allocation.service_layer.idempotency import Outcomes
from allocation.service_layer.unit_of_work import Keys, Message, StoreUnavailable


class CsvUnitOfWork:
    def __init__(self, folder: Path) -> None:
        self.products = CsvProducts(folder)
        self.changes = self.products.changes

    @property
    def outcomes(self) -> Outcomes:
        """Raises StoreUnavailable: there is no place for them."""
        raise StoreUnavailable("A folder of CSV files keeps no idempotency keys")

    def commit(self) -> Sequence[Message]:
        with translated_errors():
            return Messages(self.products.save(), as_moment(datetime.now(UTC)))


class Messages(Sequence[Message]):
    """Events as messages, made when they are asked for: those of half a million lines take as many kilobytes."""

    def __init__(self, events: Sequence[Event], at: str) -> None:
        self._events = events
        self._at = at

    def __len__(self) -> int:
        return len(self._events)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> "Messages": ...
    def __getitem__(self, index: int | slice) -> "Message | Messages":
        if isinstance(index, slice):
            return Messages(self._events[index], self._at)
        return as_message(self._events[index], self._at)


@contextmanager
def unit_of_work(folder: Path, keys: Keys) -> Iterator[CsvUnitOfWork]:
    """Have the folder alone; wait for another process that has it. What was not committed was never written.

    Raises LineInDoubt where the keys name such a line, StoreUnavailable where the files can't be used.
    """
    with ExitStack() as stack:
        with translated_errors():
            stack.enter_context(locked(folder))
            uow = CsvUnitOfWork(folder)
        uow.products.refuse_in_doubt(keys.lines)
        yield uow


@contextmanager
def translated_errors() -> Iterator[None]:
    try:
        yield
    except BadFile as error:
        raise StoreUnavailable(str(error)) from error
