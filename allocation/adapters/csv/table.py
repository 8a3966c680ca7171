"""A CSV file that is read as a whole and replaced as a whole. What nobody changes keeps its place and its text."""

import codecs
import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from allocation.adapters.csv.folder import replace
from allocation.adapters.csv.rows import BadFile, Row, Rows
from allocation.adapters.schemas import commands as bodies


class Table:
    """`rows` are those of the file; one that is `ours` is read strictly, and may not be there yet.

    Raises BadFile where it can't be read to its end.
    """

    def __init__(self, path: Path, shape: type[bodies.Body], *, ours: bool = False) -> None:
        self.path = path
        self.rows: list[Row] = []
        self.header = list(shape.model_fields)
        self._head, self._rest, self._encoding = formatted(self.header) + "\n", "", "utf-8"
        if path.exists() or not ours:
            self._read(Rows(path, shape, strict=ours))
        self._ending = "\r\n" if self._head.endswith("\r\n") else "\n"

    def write(self, kept: Iterable[str], added: Iterable[str]) -> None:
        """Replace the file by its header, these rows and what followed its rows, and more rows.

        Raises BadFile: the file is as it was.
        """
        text = "".join([self._head, *kept, self._rest])
        if not text.endswith(("\n", "\r")):
            text += self._ending
        replace(self.path, "".join([text, *added]).encode(self._encoding, "surrogateescape"))

    def text_of(self, members: Mapping[str, object]) -> str:
        """A row as it is to stand in the file. Raises BadFile where the file has no column for a member."""
        if homeless := [name for name, value in members.items() if value is not None and name not in self.header]:
            raise BadFile(f"{self.path} has no column {', '.join(homeless)}")
        return formatted([members.get(name) for name in self.header]) + self._ending

    def _read(self, found: Rows) -> None:
        self.rows = list(found)
        if found.broken is not None:
            raise found.broken
        self.header = found.header
        self._head, self._rest, self._encoding = found.head, found.rest, encoding_of(self.path)


class Echo:
    """A file for csv.writer, whose writerow returns what this does."""

    def write(self, text: str) -> str:
        return text


writer = csv.writer(Echo())


def formatted(fields: Sequence[object]) -> str:
    """Quoted for any line ending: a lone CR is quoted only where CR is a part of the ending."""
    text: str = writer.writerow(fields)
    return text.removesuffix("\r\n")


def encoding_of(path: Path) -> str:
    """Whether the file begins with a mark is for its next reader: some spreadsheets know UTF-8 by it."""
    try:
        with path.open("rb") as file:
            return "utf-8-sig" if file.read(3) == codecs.BOM_UTF8 else "utf-8"
    except OSError as error:
        raise BadFile(f"{path}: can't be read: {error.strerror}") from error
