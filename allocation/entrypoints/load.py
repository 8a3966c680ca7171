"""Sends the rows of CSV files through the message bus; says of each bad one where it stands and what is wrong."""

import csv
import gzip
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from allocation.domain.commands import Command
from allocation.entrypoints import bodies
from allocation.service_layer.messagebus import MessageBus

csv.field_size_limit(sys.maxsize)  # A field that is too long is a bad row, not the end of the file.

UNREADABLE = (OSError, EOFError, zlib.error, csv.Error)


class BadFile(Exception):
    """A file that can't be read, or not to its end."""


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
            if outcome is not None:
                self._reject(path, line, outcome)
            self._done()
        if rows.broken is not None:
            raise rows.broken

    def _commands(self, rows: "Rows", shape: type[bodies.Body], places: deque[int]) -> Iterator[Command]:
        for line, header, row in rows:
            try:
                command = bodies.from_text(shape, members(header, row))
            except bodies.BadCommand as error:
                self._reject(rows.path, line, error)
                self._done()
            else:
                places.append(line)
                yield command

    def _reject(self, path: Path, line: int, reason: Exception) -> None:
        self.bad_rows += 1
        self._report(f"{path}, line {line}: {reason}")


class Rows:
    """The rows of a file, each with the line that it begins in, and the header."""

    def __init__(self, path: Path, shape: type[bodies.Body]) -> None:
        self.path = path
        self.broken: BadFile | None = None
        self._shape = shape

    def __iter__(self) -> Iterator[tuple[int, list[str], list[str]]]:
        """What can be read; why there is no more, where that is not the file's end, is then in `broken`."""
        line = 1
        try:
            with open_text(self.path) as file:
                reader = csv.reader(file)
                header = next(reader, [])
                check_header(self.path, header, self._shape)
                line = reader.line_num + 1
                for row in reader:
                    if row:
                        yield line, header, row
                    line = reader.line_num + 1
        except BadFile as error:
            self.broken = error
        except UNREADABLE as error:
            self.broken = BadFile(f"{self.path}, line {line}: can't be read on: {error}")


def open_text(path: Path) -> TextIO:
    """A file's text, unpacked where its name ends in .gz. A byte that is not UTF-8 spoils its row, not the file."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def count_rows(path: Path) -> int:
    """About how many rows a file has, for a progress bar."""
    try:
        with open_text(path) as file:
            return max(0, sum(1 for _ in file) - 1)
    except UNREADABLE:
        return 0


def check_header(path: Path, header: list[str], shape: type[bodies.Body]) -> None:
    expected = ",".join(shape.model_fields)
    missing = [name for name, field in shape.model_fields.items() if field.is_required() and name not in header]
    if missing:
        raise BadFile(f"{path}, line 1: the header lacks {', '.join(missing)}; it should be {expected}")


def members(header: list[str], row: list[str]) -> dict[str, str]:
    if len(row) != len(header):
        raise bodies.BadCommand([{"member": "row", "message": f"has {len(row)} fields, not {len(header)}"}])
    return dict(zip(header, row, strict=True))
