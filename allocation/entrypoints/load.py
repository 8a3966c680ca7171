"""Executes the rows of CSV files as commands, and reports each bad row with its place and the reason."""

import gc
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from allocation.adapters.csv.rows import Rows
from allocation.adapters.schemas.commands import CommandSchema
from allocation.adapters.schemas.errors import InvalidInput
from allocation.domain.commands import Command
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import StoreUnavailable


class Loader:
    """Loads CSV files. `report` receives a message about each bad row. The loader calls `done` after each row.

    `bad_rows` is the number of bad rows so far.
    """

    def __init__(self, bus: MessageBus, report: Callable[[str], None], done: Callable[[], object]) -> None:
        self._bus = bus
        self._report = report
        self._done = done
        self.bad_rows = 0

    def load(self, path: Path, schema: CommandSchema) -> None:
        """Execute each row of the file as a command. Many rows share a transaction. A second run changes nothing.

        If the file becomes unreadable at some row, execute the rows before it and then raise BadFile. If the store is
        unavailable, raise StoreUnavailable. In both cases, committed rows stay committed.
        """
        lines: deque[int] = deque()
        rows = Rows(path, schema.schema)
        for outcome in self._bus.handle_all(self._commands(rows, schema, lines)):
            line = lines.popleft()
            if isinstance(outcome, StoreUnavailable):
                raise outcome
            if isinstance(outcome, Exception):
                self._reject(path, line, outcome)
            self._done()
        if rows.broken is not None:
            raise rows.broken

    def _commands(self, rows: Rows, schema: CommandSchema, lines: deque[int]) -> Iterator[Command]:
        """Yield the command of each valid row, and append the row's line number to `lines`. Report the bad rows."""
        for row in rows:
            try:
                command = schema.from_row(row.members())
            except InvalidInput as error:
                self._reject(rows.path, row.number, error)
                self._done()
            else:
                lines.append(row.number)
                yield command

    def _reject(self, path: Path, line: int, reason: Exception) -> None:
        self.bad_rows += 1
        self._report(f"{path}, line {line}: {reason}")


def collect_garbage_rarely() -> None:
    """Make the garbage collector search for cycles less often. Call this function after the imports.

    A load creates many objects but few cycles. With Python's defaults, the search uses a tenth of the load's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
