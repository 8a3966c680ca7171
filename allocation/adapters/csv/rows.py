"""The rows of CSV files, each with the place and the text that it has there."""

import csv
import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from allocation.adapters.schemas import commands as bodies
from allocation.adapters.schemas.errors import BadCommand

csv.field_size_limit(sys.maxsize)  # A field that is too long is a bad row, not the end of the file.

UNREADABLE = (OSError, EOFError, zlib.error, csv.Error)


class BadFile(Exception):
    """A file that can't be read, or not to its end, or can't be written."""


class Row(NamedTuple):
    """`line` is where its fields begin; `text` is all that stands in the file since the row before."""

    line: int
    header: list[str]
    fields: list[str]
    text: str


class Rows:
    """The rows of a file. `head` is the text of its `header`, `rest` what follows the last row.

    Where it is `strict`, the columns must be those of the shape and no others, and a quote out of place ends the file:
    no row can hide within another.
    """

    def __init__(self, path: Path, shape: type[bodies.Body], *, strict: bool = False) -> None:
        self.path = path
        self.header: list[str] = []
        self.head = self.rest = ""
        self.broken: BadFile | None = None
        self._shape = shape
        self._strict = strict

    def __iter__(self) -> Iterator[Row]:
        """What can be read; why there is no more, where that is not the file's end, is then in `broken`."""
        line, taken = 1, list[str]()
        try:
            with open_text(self.path) as file:
                reader = csv.reader(remembered(file, taken), strict=self._strict)
                self.header = next(reader, [])
                check_header(self.path, self.header, self._shape, strict=self._strict)
                self.head, line = joined(taken), reader.line_num + 1
                for fields in reader:
                    if fields:
                        yield Row(line, self.header, fields, joined(taken))
                    line = reader.line_num + 1
                self.rest = joined(taken)
        except BadFile as error:
            self.broken = error
        except FileNotFoundError:
            self.broken = BadFile(f"{self.path} is missing")
        except UNREADABLE as error:
            self.broken = BadFile(f"{self.path}, line {line}: can't be read on: {error}")


def remembered(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    """The lines, put down as the reader takes them: it takes those of one row at a time."""
    for line in lines:
        taken.append(line)
        yield line


def joined(taken: list[str]) -> str:
    text = "".join(taken)
    taken.clear()
    return text


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


def check_header(path: Path, header: list[str], shape: type[bodies.Body], *, strict: bool) -> None:
    expected = ",".join(shape.model_fields)
    missing = [name for name, field in shape.model_fields.items() if field.is_required() and name not in header]
    if missing:
        raise BadFile(f"{path}, line 1: the header lacks {', '.join(missing)}; it should be {expected}")
    if strict and header != list(shape.model_fields):
        raise BadFile(f"{path}, line 1: the header is {','.join(header)}; it should be {expected}")


def members(row: Row) -> dict[str, str]:
    if len(row.fields) != len(row.header):
        raise BadCommand([{"member": "row", "message": f"has {len(row.fields)} fields, not {len(row.header)}"}])
    return dict(zip(row.header, row.fields, strict=True))
