"""Reads the rows of CSV files, each with its line number and its text."""

import csv
import gzip
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from allocation.adapters.schemas.commands import Schema
from allocation.adapters.schemas.errors import invalid

# With the default limit, the reader stops at a long field. A long field must only make its own row bad.
csv.field_size_limit(sys.maxsize)

FIELD = r'(?:"(?:[^"]|"")*"|[^",]*)'
WELL_QUOTED = re.compile(f"{FIELD}(?:,{FIELD})*")

UNREADABLE = (OSError, EOFError, zlib.error, csv.Error)


class BadFile(Exception):
    """A file is missing, malformed, unreadable or not writable."""


class Row(NamedTuple):
    """A row of a file. Its fields begin on line `number`, counted from 1. `fields` is None if the row can't be parsed.

    `text` begins after the previous row, and ends with the line break of this row.
    """

    number: int
    header: list[str]
    fields: list[str] | None
    text: str

    def members(self) -> dict[str, str]:
        """Map each column to its field. Raise InvalidInput if the quotes or the number of fields are wrong."""
        if self.fields is None:
            raise invalid("row", "has a misplaced quote, or a line break inside a field")
        count = len(self.fields)
        if count != len(self.header):
            raise invalid("row", f"has {count} {'field' if count == 1 else 'fields'}, not {len(self.header)}")
        return dict(zip(self.header, self.fields, strict=True))


class Rows:
    """The rows of a file. After the iteration, `broken` is None, or the error that ended the iteration early.

    Callers must check `broken`, because the iterator does not raise the error. A load iterates inside a generator of
    commands, and the message bus executes these commands in groups. If the iterator raised the error, the message bus
    would lose the commands of the incomplete group.

    After the iteration, `header` holds the columns, and `head` holds the text of the header. `rest` holds the text
    after the last row. With `strict`, the columns must equal the schema's, and a misplaced quote is an error. Without
    `strict`, each line is a row, so a misplaced quote spoils only its own line.
    """

    def __init__(self, path: Path, schema: type[Schema], *, strict: bool = False) -> None:
        self.path = path
        self.header: list[str] = []
        self.head = self.rest = ""
        self.broken: BadFile | None = None
        self._schema = schema
        self._strict = strict

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows, but not empty lines. If the rest of the file is unreadable, set `broken` and stop."""
        number, read = 1, list[str]()
        try:
            with open_text(self.path) as file:
                lines = recorded(file, read)
                reader: CsvReader | LineReader = CsvReader(lines) if self._strict else LineReader(lines)
                header = next(reader, [])
                if header is None:
                    raise BadFile(f"{self.path}, line 1: the header has a misplaced quote")
                self.header = header
                check_header(self.path, self.header, self._schema, strict=self._strict)
                self.head, number = pop_text(read), reader.line_num + 1
                for fields in reader:
                    if fields != []:
                        yield Row(number, self.header, fields, pop_text(read))
                    number = reader.line_num + 1
                self.rest = pop_text(read)
        except BadFile as error:
            self.broken = error
        except FileNotFoundError:
            self.broken = BadFile(f"{self.path} is missing")
        except UNREADABLE as error:
            self.broken = BadFile(f"{self.path}, line {number}: can't be read: {error}")


class CsvReader(Iterator[list[str] | None]):
    """Parses rows that may span several lines. A misplaced quote raises csv.Error."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._reader = csv.reader(lines, strict=True)

    @property
    def line_num(self) -> int:
        return self._reader.line_num

    def __next__(self) -> list[str] | None:
        return next(self._reader)


class LineReader(Iterator[list[str] | None]):
    """Parses each line by itself. It yields None for a line with a misplaced quote, and [] for a blank line."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.line_num = 0
        self._lines = lines

    def __next__(self) -> list[str] | None:
        line = next(self._lines).rstrip("\r\n")
        self.line_num += 1
        if '"' not in line:
            return line.split(",") if line else []
        if WELL_QUOTED.fullmatch(line) is None:
            return None
        return next(csv.reader([line]))


def recorded(lines: Iterable[str], read: list[str]) -> Iterator[str]:
    """Yield each line, and append it to `read`. The CSV reader requests only the lines of its next row."""
    for line in lines:
        read.append(line)
        yield line


def pop_text(read: list[str]) -> str:
    """Empty the list, and return the text that it held."""
    text = "".join(read)
    read.clear()
    return text


def open_text(path: Path) -> TextIO:
    """Open a text file. If its name ends in .gz, decompress it. A byte that is not UTF-8 makes only its own row bad."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def count_rows(path: Path) -> int:
    """Return the approximate number of rows, for a progress bar. If the file is unreadable, return 0."""
    try:
        with open_text(path) as file:
            return max(0, sum(1 for _ in file) - 1)
    except UNREADABLE:
        return 0


def check_header(path: Path, header: list[str], schema: type[Schema], *, strict: bool) -> None:
    expected = ",".join(schema.model_fields)
    missing = [name for name, field in schema.model_fields.items() if field.is_required() and name not in header]
    if missing:
        raise BadFile(f"{path}, line 1: the header lacks {', '.join(missing)}; it should be {expected}")
    if strict and header != list(schema.model_fields):
        raise BadFile(f"{path}, line 1: the header is {','.join(header)}; it should be {expected}")
