"""The rows of CSV files, each with its line number and its text."""

import csv
import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from allocation.adapters.schemas.commands import Schema
from allocation.adapters.schemas.errors import invalid

csv.field_size_limit(sys.maxsize)  # A field that is too long makes a bad row. It must not end the file.

UNREADABLE = (OSError, EOFError, zlib.error, csv.Error)


class BadFile(Exception):
    """A file that can't be read to its end, or can't be written."""


class Row(NamedTuple):
    """`line` is the number of the line where the fields begin. `text` is everything since the row before."""

    line: int
    header: list[str]
    fields: list[str]
    text: str

    def members(self) -> dict[str, str]:
        """Return the fields by column. Raises InvalidCommand if their number is wrong."""
        if len(self.fields) != len(self.header):
            raise invalid("row", f"has {len(self.fields)} fields, not {len(self.header)}")
        return dict(zip(self.header, self.fields, strict=True))


class Rows:
    """The rows of a file. `head` is the text of the header, and `rest` is the text after the last row.

    With `strict`, the columns must be exactly those of the schema, and a misplaced quote ends the file: no row can hide
    inside another.
    """

    def __init__(self, path: Path, schema: type[Schema], *, strict: bool = False) -> None:
        self.path = path
        self.header: list[str] = []
        self.head = self.rest = ""
        self.broken: BadFile | None = None
        self._schema = schema
        self._strict = strict

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows. If the file can't be read to its end, set `broken` and stop."""
        line, read = 1, list[str]()
        try:
            with open_text(self.path) as file:
                reader = csv.reader(recorded(file, read), strict=self._strict)
                self.header = next(reader, [])
                check_header(self.path, self.header, self._schema, strict=self._strict)
                self.head, line = take_text(read), reader.line_num + 1
                for fields in reader:
                    if fields:
                        yield Row(line, self.header, fields, take_text(read))
                    line = reader.line_num + 1
                self.rest = take_text(read)
        except BadFile as error:
            self.broken = error
        except FileNotFoundError:
            self.broken = BadFile(f"{self.path} is missing")
        except UNREADABLE as error:
            self.broken = BadFile(f"{self.path}, line {line}: can't be read: {error}")


def recorded(lines: Iterable[str], read: list[str]) -> Iterator[str]:
    """Yield the lines and append each to `read`. The CSV reader reads only as many lines as one row needs."""
    for line in lines:
        read.append(line)
        yield line


def take_text(read: list[str]) -> str:
    text = "".join(read)
    read.clear()
    return text


def open_text(path: Path) -> TextIO:
    """Open a text file, and decompress it if its name ends in .gz. A byte that is not UTF-8 only spoils its own row."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def count_rows(path: Path) -> int:
    """Return about how many rows a file has, for a progress bar."""
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
