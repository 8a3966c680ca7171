"""The format of the three files: identifiers, line endings, headers and quotes."""

import pytest

from allocation.adapters.csv.rows import BadFile
from allocation.service_layer.unit_of_work import StoreUnavailable
from tests.support.adapters.csv_folder import Folder

BAD_QUOTE = "row has a misplaced quote, or a line break inside a field"


@pytest.mark.parametrize("name", ["a,b", 'a"b', '"', " a ", "椅子", "🪑", "é\u2028é", "=1+1"])
def test_any_identifier_round_trips_unchanged(folder: Folder, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    folder.batches(f"{quoted},{quoted},1,").orders(f"{quoted},{quoted},1")
    for _ in range(2):
        assert folder.run().reports == []
        assert folder.allocated == [[name, name, "1", name]]


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n"], ids=["lf", "cr", "crlf"])
def test_a_line_break_inside_a_field_makes_each_part_a_bad_row(folder: Folder, line_break: str) -> None:
    """Otherwise an open quote would make the following rows a part of its field."""
    folder.orders(f'"o{line_break}1",S,1', "o2,S,1")
    for _ in range(2):
        run = folder.run()
        assert run.reports == [f"orders.csv, line {number}: {BAD_QUOTE}" for number in (2, 3)]
        assert (run.summary.lines, run.summary.allocated, run.summary.refused) == (3, 1, 2)
        assert [row[0] for row in folder.allocated] == ["o2"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"orderid,sku,qty,batchref", b"\no1,S,1,b1\n"),
        (b"orderid,sku,qty,batchref\no0,S,1,b1", b"\no1,S,1,b1\n"),
        (b'orderid,sku,qty,batchref\r\n\r\n"o0",S,1,b1\r\n', b"o1,S,1,b1\r\n"),
        (b'\xef\xbb\xbf"orderid",sku,qty,batchref\n\no0,S,1,b1\n\n\n', b"o1,S,1,b1\n"),
        (b'orderid,sku,qty,batchref\no0,S,1,"b\xff\n\n"\n', b"o1,S,1,b1\n"),
    ],
)
def test_a_run_keeps_every_byte_of_allocations_csv(folder: Folder, before: bytes, after: bytes) -> None:
    (folder.path / "allocations.csv").write_bytes(before)
    folder.orders("o1,S,1").run()
    assert folder.content == before + after


@pytest.mark.parametrize(
    ("name", "header", "reason"),
    [
        ("batches.csv", "", "line 1: the header lacks ref, sku, qty; it should be ref,sku,qty,eta"),
        ("orders.csv", "orderid;sku;qty", "line 1: the header lacks orderid, sku, qty; it should be orderid,sku,qty"),
        ("allocations.csv", "", "line 1: the header lacks orderid, sku, qty, batchref"),
        ("allocations.csv", "sku,orderid,qty,batchref", "line 1: the header is sku,orderid,qty,batchref; it should be"),
        ("allocations.csv", "orderid,sku,qty,batchref,note", "line 1: the header is"),
        (
            "allocations.csv",
            'orderid,sku,qty,batchref\n"o1,S,1,b1\no2,S,1,b1',
            "line 2: can't be read: unexpected end",
        ),
        ("allocations.csv", 'orderid,sku,qty,batchref\n"o1,S,1,b1\n"o2",S,1,b1', "line 2: can't be read:"),
    ],
)
def test_a_malformed_file_ends_the_run_without_changes(folder: Folder, name: str, header: str, reason: str) -> None:
    folder.orders("o1,S,1").write(name, header=header)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    with pytest.raises((BadFile, StoreUnavailable)) as caught:
        folder.run()
    assert str(caught.value).startswith(f"{folder.path / name}, {reason}")
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before
