"""A misplaced quote, or a line break inside a field, spoils its own line and no other."""

from pathlib import Path

import pytest

from allocation.adapters.csv.rows import Row, Rows
from allocation.adapters.schemas.commands import LineQuantity
from allocation.adapters.schemas.errors import InvalidInput

BAD = "row has a misplaced quote, or a line break inside a field"


def read(folder: Path, text: str) -> tuple[list[tuple[int, object]], Rows]:
    path = folder / "orders.csv"
    path.write_bytes(text.encode())
    rows = Rows(path, LineQuantity)
    return [(row.number, content(row)) for row in rows], rows


def content(row: Row) -> object:
    try:
        return tuple(row.members().values())
    except InvalidInput as error:
        return str(error)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a,S,1", '"b,S,2', 'c",S,3', "d,S,4"], [("a", "S", "1"), BAD, BAD, ("d", "S", "4")]),
        (["a,S,1", '"b,S,2', "c,S,3"], [("a", "S", "1"), BAD, ("c", "S", "3")]),
        (['a"b,S,1', "c,S,3"], [BAD, ("c", "S", "3")]),
        (['"a"b,S,1', "c,S,3"], [BAD, ("c", "S", "3")]),
        (['"a""b",S,1', '"x,y",S,2'], [('a"b', "S", "1"), ("x,y", "S", "2")]),
        (['"","",""', "c,S,3"], [("", "", ""), ("c", "S", "3")]),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_bad_quote_spoils_one_line(tmp_path: Path, lines: list[str], expected: list[object], ending: str) -> None:
    rows, found = read(tmp_path, "".join(line + ending for line in ["orderid,sku,qty", *lines]))
    assert rows == list(enumerate(expected, start=2))
    assert found.broken is None


def test_blank_lines_and_a_missing_last_ending_are_fine(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, "orderid,sku,qty\n\na,S,1\n\n\nb,S,2")
    assert rows == [(3, ("a", "S", "1")), (6, ("b", "S", "2"))]


def test_a_header_with_a_misplaced_quote_makes_the_file_bad(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text('orderid,"sku,qty\na,S,1\n')
    rows = Rows(path, LineQuantity)
    assert list(rows) == []
    assert str(rows.broken) == f"{path}, line 1: the header has a misplaced quote"
