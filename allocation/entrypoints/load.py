"""Sends the rows of CSV files through the message bus, and reports each bad row with its place and the reason."""

import gc
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from allocation.adapters.csv.rows import Rows
from allocation.adapters.schemas.commands import CommandSchema
from allocation.adapters.schemas.errors import InvalidCommand
from allocation.domain.commands import Command
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import StoreUnavailable


class Loader:
    """`report` gets a line about each bad row. `done` is called after each row."""

    def __init__(self, bus: MessageBus, report: Callable[[str], None], done: Callable[[], object]) -> None:
        self._bus = bus
        self._report = report
        self._done = done
        self.bad_rows = 0

    def load(self, path: Path, schema: CommandSchema) -> None:
        """Handle every row of the file, many in one transaction. A second run changes nothing.

        Raises BadFile, after all rows before that point, and StoreUnavailable. Rows that are committed stay committed.
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
        """Yield the commands of the valid rows, and append the line number of each to `lines`."""
        for row in rows:
            try:
                command = schema.from_row(row.members())
            except InvalidCommand as error:
                self._reject(rows.path, row.line, error)
                self._done()
            else:
                lines.append(row.line)
                yield command

    def _reject(self, path: Path, line: int, reason: Exception) -> None:
        self.bad_rows += 1
        self._report(f"{path}, line {line}: {reason}")


def collect_garbage_rarely() -> None:
    """Tune the garbage collector for a load, after its code is loaded. A load creates many objects but few cycles.

    With Python's defaults, the search for cycles takes a tenth of a load's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
