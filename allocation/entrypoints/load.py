"""Sends the rows of CSV files through the message bus; says of each bad one where it stands and what is wrong."""

import gc
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from allocation.adapters.csv.rows import Rows, members
from allocation.adapters.schemas import commands as bodies
from allocation.adapters.schemas.errors import BadCommand
from allocation.domain.commands import Command
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import StoreUnavailable


class Loader:
    """`report` is told of each bad row, `done` of each row that is done with."""

    def __init__(self, bus: MessageBus, report: Callable[[str], None], done: Callable[[], object]) -> None:
        self._bus = bus
        self._report = report
        self._done = done
        self.bad_rows = 0

    def load(self, path: Path, shape: type[bodies.Body]) -> None:
        """Handle every row, many to a transaction.

        Raises BadFile, once all rows before that point are handled; StoreUnavailable. What was done before stays done,
        and a second run changes nothing of it.
        """
        places: deque[int] = deque()
        rows = Rows(path, shape)
        for outcome in self._bus.handle_all(self._commands(rows, shape, places)):
            line = places.popleft()
            if isinstance(outcome, StoreUnavailable):
                raise outcome
            if isinstance(outcome, Exception):
                self._reject(path, line, outcome)
            self._done()
        if rows.broken is not None:
            raise rows.broken

    def _commands(self, rows: Rows, shape: type[bodies.Body], places: deque[int]) -> Iterator[Command]:
        for row in rows:
            try:
                command = bodies.from_text(shape, members(row))
            except BadCommand as error:
                self._reject(rows.path, row.line, error)
                self._done()
            else:
                places.append(row.line)
                yield command

    def _reject(self, path: Path, line: int, reason: Exception) -> None:
        self.bad_rows += 1
        self._report(f"{path}, line {line}: {reason}")


def search_for_cycles_rarely() -> None:
    """For the process of a load, when its code is there: it makes many objects, of which hardly any is in a cycle.

    Python's own pace, after every 700 new objects, and over all that was loaded, takes a tenth of the time of a load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
