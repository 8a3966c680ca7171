"""Sends the rows of CSV files through the message bus; says of each bad one where it stands and what is wrong."""

import csv
import gzip
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from allocation.domain.commands import Command
from allocation.entrypoints import bodies
from allocation.service_layer.messagebus import MessageBus


class BadFile(Exception):
    """A file that can't be read as what it should be."""


class Loader:
    """`report` is told of each bad row, `done` of each row that is done with."""

    def __init__(self, bus: MessageBus, report: Callable[[str], None], done: Callable[[], object]) -> None:
        self._bus = bus
        self._report = report
        self._done = done
        self.bad_rows = 0

    def load(self, path: Path, shape: type[bodies.Body]) -> None:
        """Handle every row, many to a transaction.

        Raises BadFile; StoreUnavailable. What was done before stays done, and a second run changes nothing of it.
        """
        lines: deque[int] = deque()
        with opened(path) as file:
            for outcome in self._bus.handle_all(self._commands(path, file, shape, lines)):
                line = lines.popleft()
                if outcome is not None:
                    self._reject(path, line, outcome)
                self._done()

    def _commands(self, path: Path, file: TextIO, shape: type[bodies.Body], lines: deque[int]) -> Iterator[Command]:
        reader = csv.reader(file)
        header = next(reader, [])
        check_header(path, header, shape)
        for row in filter(None, reader):
            try:
                command = bodies.from_text(shape, members(header, row))
            except bodies.BadCommand as error:
                self._reject(path, reader.line_num, error)
                self._done()
            else:
                lines.append(reader.line_num)
                yield command

    def _reject(self, path: Path, line: int, reason: Exception) -> None:
        self.bad_rows += 1
        self._report(f"{path}, line {line}: {reason}")


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """A CSV file's text, unpacked where its name ends in .gz. A byte that is not UTF-8 spoils its row, not the file."""
    open_text = gzip.open if path.suffix == ".gz" else open
    try:
        with open_text(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield file
    except (OSError, EOFError, csv.Error) as error:
        raise BadFile(f"{path} can't be read: {error}") from error


def count_rows(path: Path) -> int:
    with opened(path) as file:
        return max(0, sum(1 for _ in file) - 1)


def check_header(path: Path, header: list[str], shape: type[bodies.Body]) -> None:
    expected = ",".join(shape.model_fields)
    missing = [name for name, field in shape.model_fields.items() if field.is_required() and name not in header]
    if missing:
        raise BadFile(f"{path}, line 1: the header lacks {', '.join(missing)}; it should be {expected}")


def members(header: list[str], row: list[str]) -> dict[str, str]:
    if len(row) != len(header):
        raise bodies.BadCommand([{"member": "row", "message": f"has {len(row)} fields, not {len(header)}"}])
    return dict(zip(header, row, strict=True))
