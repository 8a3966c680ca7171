"""A run reports the bad rows of each file and handles the other rows."""

import re

import pytest

from tests.support.adapters.csv_folder import Folder

Case = tuple[str | bytes, str]
"""A row, and the beginning of the report about it."""

ORDERS: dict[str, Case] = {
    "out-of-stock": ("o9,S,11", "Out of stock for S: no batch has 11 left for order o9"),
    "an-unknown-sku": ("o9,X,1", "Invalid sku X"),
    "another-quantity": ("o1,S,2", "Order o1's line of S already exists with quantity 1, not 2"),
    "a-missing-field": ("o9,S", "row has 2 fields, not 3"),
    "an-extra-field": ("o9,S,1,1", "row has 4 fields, not 3"),
    "no-quantity": ("o9,S,", "qty is missing"),
    "a-quantity-in-words": ("o9,S,many", "qty must be a whole number from 1 to 2147483647, not 'many'"),
    "a-quantity-of-0": ("o9,S,0", "qty must be a whole number from 1 to 2147483647, not 0"),
    "a-negative-quantity": ("o9,S,-1", "qty must be a whole number from 1 to 2147483647, not -1"),
    "a-20-digit-quantity": (
        "o9,S,99999999999999999999",
        "qty must be a whole number from 1 to 2147483647, not '999",
    ),
    "no-order-id": (",S,1", "orderid is missing"),
    "a-256-character-order-id": ("o" * 256 + ",S,1", "orderid must be a string of 1 to 255 characters, not 'ooo"),
    "a-200000-character-field": ("o" * 200_000 + ",S,1", "orderid must be a string of 1 to 255 characters, not"),
    "a-byte-that-is-not-utf-8": (b"o\xff,S,1", "orderid must be text in UTF-8, not 'o\\udcff'"),
    "a-misplaced-quote": ('"o9,S,1', "row has a misplaced quote, or a line break inside a field"),
    "a-nul": (b"o\0,S,1", "orderid must not contain a NUL character"),
}
BATCHES: dict[str, Case] = {
    "a-missing-field": ("b9,S,1", "row has 3 fields, not 4"),
    "no-reference": (",S,1,", "ref is missing"),
    "no-sku": ("b9,,1,", "sku is missing"),
    "a-quantity-in-words": ("b9,S,many,", "qty must be a whole number from 0 to 2147483647, not 'many'"),
    "a-negative-quantity": ("b9,S,-1,", "qty must be a whole number from 0 to 2147483647, not -1"),
    "a-day-that-does-not-exist": (
        "b9,S,1,2027-02-30",
        "eta must be a date as YYYY-MM-DD, or null, not '2027-02-30'",
    ),
    "an-eta-in-words": ("b9,S,1,soon", "eta must be a date as YYYY-MM-DD, or null, not 'soon'"),
    "a-256-character-reference": ("b" * 256 + ",S,1,", "ref must be a string of 1 to 255 characters, not 'bbb"),
    "a-byte-that-is-not-utf-8": (b"b\xff,S,1,", "ref must be text in UTF-8, not 'b\\udcff'"),
    "a-nul": (b"b\0,S,1,", "ref must not contain a NUL character"),
    "a-known-reference-with-other-data": ("b1,S,11,", "Batch b1 already exists with a different sku, qty or eta"),
}
ALLOCATIONS: dict[str, Case] = {
    "an-unknown-batch": ("o2,S,1,b9", "There is no batch b9"),
    "a-batch-of-another-sku": ("o2,S,1,x1", "Batch x1 has the sku X, not S"),
    "a-quantity-in-words": ("o2,S,many,b1", "qty must be a whole number from 1 to 2147483647, not 'many'"),
    "a-quantity-of-0": ("o2,S,0,b1", "qty must be a whole number from 1 to 2147483647, not 0"),
    "no-batch": ("o2,S,1,", "batchref is missing"),
    "a-missing-field": ("o2,S,1", "row has 3 fields, not 4"),
    "more-than-the-batch-has-left": ("o2,S,10,b1", "Batch b1 has 9 of 10 units left, not 10"),
    "a-256-character-reference": (
        "o2,S,1," + "b" * 256,
        "batchref must be a string of 1 to 255 characters, not 'bbb",
    ),
    "a-byte-that-is-not-utf-8": (b"o2,S,1,b\xff", "batchref must be text in UTF-8, not 'b\\udcff'"),
    "a-nul": (b"o2,S,1,b\0", "batchref must not contain a NUL character"),
    "unnecessary-quotes": ('"o2","S","1","b9"', "There is no batch b9"),
}


@pytest.mark.parametrize(("row", "report"), ORDERS.values(), ids=ORDERS)
def test_a_run_reports_a_failed_order_row_and_continues(folder: Folder, row: str | bytes, report: str) -> None:
    run = folder.orders("o1,S,1", row, "o2,S,1").run()
    [reported] = run.reports
    assert reported.startswith(f"orders.csv, line 3: {report}")
    assert folder.allocated == [["o1", "S", "1", "b1"], ["o2", "S", "1", "b1"]]
    assert (run.summary.lines, run.summary.allocated, run.summary.short + run.summary.refused) == (3, 2, 1)


@pytest.mark.parametrize(("row", "report"), BATCHES.values(), ids=BATCHES)
def test_a_run_reports_a_bad_batch_row_and_continues(folder: Folder, row: str | bytes, report: str) -> None:
    run = folder.batches("b1,S,1,", row, "b2,S,1,").orders("o1,S,1", "o2,S,1").run()
    [reported] = run.reports
    assert reported.startswith(f"batches.csv, line 3: {report}")
    assert [row[3] for row in folder.allocated] == ["b1", "b2"]


@pytest.mark.parametrize(("row", "report"), ALLOCATIONS.values(), ids=ALLOCATIONS)
def test_a_bad_allocation_row_stays_and_blocks_its_line(folder: Folder, row: str | bytes, report: str) -> None:
    """The row may be a promise to the customer, so the run must not allocate the line to another batch."""
    folder.batches("b1,S,10,", "b2,S,10,", "x1,X,10,").allocations("o1,S,1,b1", row, "o3,S,1,b1")
    before = folder.content
    run = folder.orders("o1,S,1", "o2,S,1", "o3,S,1", "o4,X,1").run()
    [row_report, line_report] = run.reports
    assert row_report.startswith(f"allocations.csv, line 3: {report}")
    assert row_report.endswith("; the file keeps this row unchanged")
    assert re.fullmatch(
        r"orders.csv, line 3: Order o2's line of S is in doubt: see .*allocations.csv, line 3", line_report
    )
    assert folder.content == before + b"o4,X,1,x1\n"
    assert (run.summary.allocated, run.summary.new, run.summary.refused) == (3, 1, 2)
    assert folder.run().reports == run.reports


def test_a_line_with_two_rows_uses_stock_once_and_is_in_doubt(folder: Folder) -> None:
    """A program that does not look for an existing allocation leaves such rows after its second run."""
    folder.batches("b1,S,10,", "b2,S,10,").allocations("o1,S,10,b1", "o1,S,10,b2")
    run = folder.orders("o1,S,10", "o2,S,10").run()
    assert [re.sub(r"/\S*/", "", report) for report in run.reports] == [
        "allocations.csv, line 3: An earlier row already has order o1's line of S; the file keeps this row unchanged",
        "orders.csv, line 2: Order o1's line of S is in doubt: see allocations.csv, line 3",
    ]
    assert folder.allocated == [["o1", "S", "10", "b1"], ["o1", "S", "10", "b2"], ["o2", "S", "10", "b2"]]


def test_a_corrected_row_is_used_again(folder: Folder) -> None:
    folder.orders("o1,S,1").allocations("o1,S,1,b9")
    assert len(folder.run().reports) == 2
    assert folder.allocations("o1,S,1,b1").run().reports == []
    assert folder.allocated == [["o1", "S", "1", "b1"]]
