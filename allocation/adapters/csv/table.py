"""Reads and replaces whole CSV files. Unchanged rows keep their places and their text."""

import codecs
import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from allocation.adapters.csv.folder import replace_file
from allocation.adapters.csv.rows import BadFile, Row, Rows
from allocation.adapters.schemas.commands import Schema


class Table:
    """The rows of a file, and the text around them. `write` keeps that text."""

    def __init__(
        self, path: Path, rows: Sequence[Row], header: Sequence[str], head: str, rest: str, encoding: str
    ) -> None:
        self.path = path
        self.rows = rows
        self.header = header
        self._head, self._rest, self._encoding = head, rest, encoding
        self._ending = "\r\n" if head.endswith("\r\n") else "\n"

    def write(self, kept: Iterable[str], added: Iterable[str]) -> None:
        """Replace the file with the header, the kept rows, the text after the last row, and the added rows.

        Raise BadFile as `replace_file` does.
        """
        text = "".join([self._head, *kept, self._rest])
        if not text.endswith(("\n", "\r")):
            text += self._ending
        replace_file(self.path, "".join([text, *added]).encode(self._encoding, "surrogateescape"))

    def text_of(self, members: Mapping[str, object]) -> str:
        """Return the text of a row. Raise BadFile if the file has no column for a member that is not None."""
        if unknown := [name for name, value in members.items() if value is not None and name not in self.header]:
            raise BadFile(f"{self.path} has no column {', '.join(unknown)}")
        return formatted([members.get(name) for name in self.header]) + self._ending


def read_table(path: Path, schema: type[Schema], *, ours: bool = False) -> Table:
    """Read a whole file. Raise BadFile if it is malformed or unreadable.

    If only the service writes the file, it is `ours`. Then the file may be missing, and `Rows` reads it with `strict`.
    """
    if ours and not path.exists():
        header = list(schema.model_fields)
        return Table(path, [], header, head=formatted(header) + "\n", rest="", encoding="utf-8")
    found = Rows(path, schema, strict=ours)
    rows = list(found)
    if found.broken is not None:
        raise found.broken
    return Table(path, rows, found.header, head=found.head, rest=found.rest, encoding=encoding_of(path))


class Echo:
    """A file for csv.writer. `writerow` returns the text because this `write` returns it."""

    def write(self, text: str) -> str:
        return text


writer = csv.writer(Echo())


def formatted(fields: Sequence[object]) -> str:
    """Return the quoted text of a row, without a line break.

    The writer ends rows with \\r\\n. With another line break, it would not quote a field that contains only a CR.
    """
    text: str = writer.writerow(fields)
    return text.removesuffix("\r\n")


def encoding_of(path: Path) -> str:
    """Return "utf-8-sig" if the file begins with a byte order mark, or else "utf-8". Raise BadFile.

    `write` must keep the mark: some spreadsheet programs recognise UTF-8 only by it.
    """
    try:
        with path.open("rb") as file:
            return "utf-8-sig" if file.read(3) == codecs.BOM_UTF8 else "utf-8"
    except OSError as error:
        raise BadFile(f"{path}: can't be read: {error.strerror}") from error
