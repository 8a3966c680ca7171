"""What becomes of the rows of a folder, told as folders before and after."""

import random
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from allocation.adapters.csv.rows import BadFile
from allocation.domain.commands import Allocate, CreateBatch
from allocation.domain.errors import Refusal
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import StoreUnavailable
from tests.support.csv_folder import Folder
from tests.support.fakes import FakeStore
from tests.support.paths import SAMPLE
from tests.support.processes import only


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """One batch of ten, and no orders yet."""
    return Folder(tmp_path).batches("b1,S,10,").orders()


def test_lines_go_to_batches_as_they_do_in_the_service(folder: Folder) -> None:
    folder.batches("late,S,10,2027-03-01", "soon,S,10,2027-01-15", "wh,S,10,", "x1,X,1,")
    run = folder.orders("o1,S,8", "o1,X,1", "o2,S,8", "o3,S,2", "o4,S,7").run()
    assert folder.allocated == [
        ["o1", "S", "8", "wh"],
        ["o1", "X", "1", "x1"],
        ["o2", "S", "8", "soon"],
        ["o3", "S", "2", "wh"],
        ["o4", "S", "7", "late"],
    ]
    assert (run.summary.lines, run.summary.allocated, run.summary.new, run.reports) == (5, 5, 5, [])


def test_a_second_run_changes_nothing(folder: Folder) -> None:
    # W38: the line was on both batches then
    folder.batches("b1,S,10,", "b2,S,10,").orders("o1,S,10", "o2,S,11", "o3,S,10", "o4,S,1", "o1,S,10")
    first, content, stat = folder.run(), folder.content, (folder.path / "allocations.csv").stat()
    second = folder.run()
    assert folder.content == content == b"orderid,sku,qty,batchref\no1,S,10,b1\no3,S,10,b2\n"
    assert (folder.path / "allocations.csv").stat() == stat, "not even written again"
    assert (
        first.reports
        == second.reports
        == [
            "orders.csv, line 3: Out of stock for S: no batch has 11 left for order o2",
            "orders.csv, line 5: Out of stock for S: no batch has 1 left for order o4",
        ]
    )
    assert (first.summary.new, second.summary.new) == (2, 0)
    assert first.summary.allocated == second.summary.allocated == 3, "the row that stands twice counts twice"


def test_lines_that_found_no_batch_are_placed_in_the_order_of_orders_once_there_is_one(folder: Folder) -> None:
    folder.orders("o1,S,9", "o2,S,5", "o3,X,1", "o4,S,4", "o5,S,1", "o6,S,6").run()
    assert folder.allocated == [["o1", "S", "9", "b1"], ["o5", "S", "1", "b1"]]
    run = folder.batches("b1,S,10,", "x1,X,1,", "b2,S,11,2027-01-15").run()
    assert [(row[0], row[3]) for row in folder.allocated] == [
        ("o1", "b1"),
        ("o5", "b1"),
        ("o2", "b2"),
        ("o3", "x1"),
        ("o4", "b2"),
    ]
    assert run.reports == ["orders.csv, line 7: Out of stock for S: no batch has 6 left for order o6"]


ORDERS = [
    # W39: one of these ended the run
    ("out of stock", "o9,S,11", "Out of stock for S: no batch has 11 left for order o9"),
    ("an unknown SKU", "o9,X,1", "Invalid sku X"),
    ("another quantity", "o1,S,2", "Order o1 already has a line of 1 S, not of 2"),
    ("a missing field", "o9,S", "row has 2 fields, not 3"),
    ("a field too many", "o9,S,1,1", "row has 4 fields, not 3"),
    ("no quantity", "o9,S,", "qty is missing"),
    ("a quantity in words", "o9,S,many", "qty must be a whole number from 1 to 2147483647, not 'many'"),
    ("a quantity of 0", "o9,S,0", "qty must be a whole number from 1 to 2147483647, not 0"),
    ("a negative quantity", "o9,S,-1", "qty must be a whole number from 1 to 2147483647, not -1"),
    ("an endless quantity", "o9,S,99999999999999999999", "qty must be a whole number from 1 to 2147483647, not '999"),
    ("no order", ",S,1", "orderid is missing"),
    ("an order that is too long", "o" * 256 + ",S,1", "orderid must be a string of 1 to 255 characters, not 'ooo"),
    ("a field that is far too long", "o" * 200_000 + ",S,1", "orderid must be a string of 1 to 255 characters, not"),
    ("a byte that is not UTF-8", b"o\xff,S,1", "orderid must be text in UTF-8, not 'o\\udcff'"),
    ("a NUL", b"o\0,S,1", "orderid must not contain a NUL character"),
]
BATCHES = [
    ("a missing field", "b9,S,1", "row has 3 fields, not 4"),
    ("no reference", ",S,1,", "ref is missing"),
    ("no SKU", "b9,,1,", "sku is missing"),
    ("a quantity in words", "b9,S,many,", "qty must be a whole number from 0 to 2147483647, not 'many'"),
    ("a negative quantity", "b9,S,-1,", "qty must be a whole number from 0 to 2147483647, not -1"),
    ("no day", "b9,S,1,2027-02-30", "eta must be a date as YYYY-MM-DD, or null, not '2027-02-30'"),
    ("a day in words", "b9,S,1,soon", "eta must be a date as YYYY-MM-DD, or null, not 'soon'"),
    ("a reference that is too long", "b" * 256 + ",S,1,", "ref must be a string of 1 to 255 characters, not 'bbb"),
    ("a byte that is not UTF-8", b"b\xff,S,1,", "ref must be text in UTF-8, not 'b\\udcff'"),
    ("a NUL", b"b\0,S,1,", "ref must not contain a NUL character"),
    ("a reference with other data", "b1,S,11,", "Batch b1 already exists with another sku, qty or eta"),
]
by_reason = {"ids": lambda value: value.replace(" ", "-") if isinstance(value, str) else ""}


@pytest.mark.parametrize(("reason", "row", "report"), ORDERS, ids=[case[0].replace(" ", "-") for case in ORDERS])
def test_an_order_that_cannot_be_carried_out_is_reported_and_the_rest_goes_on(
    folder: Folder, reason: str, row: str | bytes, report: str
) -> None:
    run = folder.orders("o1,S,1", row, "o2,S,1").run()
    [reported] = run.reports
    assert reported.startswith(f"orders.csv, line 3: {report}")
    assert folder.allocated == [["o1", "S", "1", "b1"], ["o2", "S", "1", "b1"]]
    assert (run.summary.lines, run.summary.allocated, run.summary.short + run.summary.refused) == (3, 2, 1)


@pytest.mark.parametrize(("reason", "row", "report"), BATCHES, ids=[case[0].replace(" ", "-") for case in BATCHES])
def test_a_batch_that_cannot_be_used_is_reported_and_the_rest_goes_on(
    folder: Folder, reason: str, row: str | bytes, report: str
) -> None:
    run = folder.batches("b1,S,1,", row, "b2,S,1,").orders("o1,S,1", "o2,S,1").run()
    [reported] = run.reports
    assert reported.startswith(f"batches.csv, line 3: {report}")
    assert [row[3] for row in folder.allocated] == ["b1", "b2"]


UNUSABLE = [
    ("a batch that is not there", "o2,S,1,b9", "There is no batch b9"),  # W40: KeyError
    ("a batch of another SKU", "o2,S,1,x1", "Batch x1 is of X, not of S"),
    ("a quantity in words", "o2,S,many,b1", "qty must be a whole number from 1 to 2147483647, not 'many'"),
    ("a quantity of 0", "o2,S,0,b1", "qty must be a whole number from 1 to 2147483647, not 0"),
    ("no batch", "o2,S,1,", "batchref is missing"),
    ("a missing field", "o2,S,1", "row has 3 fields, not 4"),
    ("more than the batch has left", "o2,S,10,b1", "Batch b1 has only 9 left of 10, not 10"),
    ("a batch that is too long", "o2,S,1," + "b" * 256, "batchref must be a string of 1 to 255 characters, not 'bbb"),
    ("a byte that is not UTF-8", b"o2,S,1,b\xff", "batchref must be text in UTF-8, not 'b\\udcff'"),
    ("a NUL", b"o2,S,1,b\0", "batchref must not contain a NUL character"),
    ("quotes that need not be", '"o2","S","1","b9"', "There is no batch b9"),
]


@pytest.mark.parametrize(("reason", "row", "report"), UNUSABLE, ids=[case[0].replace(" ", "-") for case in UNUSABLE])
def test_an_allocation_that_cannot_be_used_is_kept_and_its_line_is_not_allocated_again(
    folder: Folder, reason: str, row: str | bytes, report: str
) -> None:
    folder.batches("b1,S,10,", "b2,S,10,", "x1,X,10,").allocations("o1,S,1,b1", row, "o3,S,1,b1")
    before = folder.content
    run = folder.orders("o1,S,1", "o2,S,1", "o3,S,1", "o4,X,1").run()
    [of_the_row, of_the_line] = run.reports
    assert of_the_row.startswith(f"allocations.csv, line 3: {report}")
    assert of_the_row.endswith("; the row stays as it is")
    assert re.fullmatch(
        r"orders.csv, line 3: Order o2's line of S is in doubt: see .*allocations.csv, line 3", of_the_line
    )
    assert folder.content == before + b"o4,X,1,x1\n"
    assert (run.summary.allocated, run.summary.new, run.summary.refused) == (3, 1, 2)
    assert folder.run().reports == run.reports


def test_a_line_that_stands_twice_takes_its_stock_once_and_is_in_doubt(folder: Folder) -> None:
    # W38: what the book's second run left behind
    folder.batches("b1,S,10,", "b2,S,10,").allocations("o1,S,10,b1", "o1,S,10,b2")
    run = folder.orders("o1,S,10", "o2,S,10").run()
    assert [re.sub(r"/\S*/", "", report) for report in run.reports] == [
        "allocations.csv, line 3: A row above already has order o1's line of S; the row stays as it is",
        "orders.csv, line 2: Order o1's line of S is in doubt: see allocations.csv, line 3",
    ]
    assert folder.allocated == [["o1", "S", "10", "b1"], ["o1", "S", "10", "b2"], ["o2", "S", "10", "b2"]]


def test_a_batch_that_was_cut_below_what_it_promised_gives_nothing_more(folder: Folder) -> None:
    folder.batches("b1,S,8,", "b2,S,2,2027-01-15").allocations("o1,S,6,b1", "o2,S,4,b1", "o3,S,1,b1")
    before = folder.content
    run = folder.orders("o1,S,6", "o2,S,4", "o3,S,1", "o4,S,1", "o5,S,1").run()
    assert [report.partition(":")[0] for report in run.reports] == ["allocations.csv, line 3", "orders.csv, line 3"]
    assert folder.content == before + b"o4,S,1,b2\no5,S,1,b2\n", "b1 has one left, but owes it"
    assert folder.batches("b1,S,11,", "b2,S,2,2027-01-15").run().reports == [], "made up for"


def test_a_batch_that_was_cut_to_nothing_is_still_a_batch(folder: Folder) -> None:
    run = folder.batches("b1,S,0,").orders("o1,S,1").run()
    assert run.reports == ["orders.csv, line 2: Out of stock for S: no batch has 1 left for order o1"]


def test_a_row_that_was_mended_is_a_row_like_others(folder: Folder) -> None:
    folder.orders("o1,S,1").allocations("o1,S,1,b9")
    assert len(folder.run().reports) == 2
    assert folder.allocations("o1,S,1,b1").run().reports == []
    assert folder.allocated == [["o1", "S", "1", "b1"]]


def test_a_line_that_changed_its_quantity_keeps_its_batch(folder: Folder) -> None:
    folder.orders("o1,S,1").run()
    run = folder.orders("o1,S,2").run()
    assert run.reports == ["orders.csv, line 2: Order o1 already has a line of 1 S, not of 2"]
    assert folder.allocated == [["o1", "S", "1", "b1"]]


def test_allocations_of_orders_that_are_gone_keep_their_stock(folder: Folder) -> None:
    folder.orders("o1,S,10").run()
    run = folder.orders("o2,S,1").run()
    assert len(run.reports) == 1
    assert folder.allocated == [["o1", "S", "10", "b1"]]


@pytest.mark.parametrize("name", ["a,b", 'a"b', '"', "a\nb", "a\rb", "a\r\nb", " a ", "椅子", "🪑", "é\u2028é", "=1+1"])
def test_any_name_comes_back_as_it_was(folder: Folder, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    folder.batches(f"{quoted},{quoted},1,").orders(f"{quoted},{quoted},1")
    for _ in range(2):
        assert folder.run().reports == []
        assert folder.allocated == [[name, name, "1", name]]


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
def test_what_stood_in_the_file_stays_to_the_byte(folder: Folder, before: bytes, after: bytes) -> None:
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
def test_a_file_of_another_kind_ends_the_run_and_nothing_is_written(
    folder: Folder, name: str, header: str, reason: str
) -> None:
    folder.orders("o1,S,1").write(name, header=header)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    with pytest.raises((BadFile, StoreUnavailable)) as caught:
        folder.run()
    assert str(caught.value).startswith(f"{folder.path / name}, {reason}")
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


def test_the_command_says_what_it_did_and_what_it_could_not(folder: Folder) -> None:
    # W39
    done = folder.orders("o1,S,1", "o2,S,10").command()
    assert done.stdout == "Allocated 1 of 2 lines, 1 of them now; out of stock: 1; bad rows: 0\n"
    assert done.stderr == f"{folder.path}/orders.csv, line 3: Out of stock for S: no batch has 10 left for order o2\n"
    assert done.returncode == 0, "a line that is out of stock is nobody's mistake"
    done = folder.orders("o1,S,1", "o2,S,many").command()
    assert done.stdout == "Allocated 1 of 2 lines, 0 of them now; out of stock: 0; bad rows: 1\n"
    assert done.stderr.startswith(f"{folder.path}/orders.csv, line 3: qty must be a whole number")
    assert done.returncode == 1


@pytest.mark.parametrize("missing", ["batches.csv", "orders.csv", "."])
def test_what_is_missing_is_said_in_one_line(folder: Folder, missing: str) -> None:
    path = folder.path / missing
    if missing == ".":
        shutil.rmtree(path)
        expected = f"Error: {folder.path}: can't be opened: No such file or directory\n"
    else:
        path.unlink()
        expected = f"Error: {path} is missing\n"
    done = folder.command()
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)
    assert not folder.path.exists() or "allocations.csv" not in folder.names


def test_a_report_is_one_line_whatever_the_names(folder: Folder) -> None:
    done = folder.orders('"o\n1","X\nY",1').command()
    assert done.stderr.endswith("orders.csv, line 2: Invalid sku X Y\n")


DRIVERS = ("sqlalchemy", "psycopg2", "redis", "flask", "alembic")
SPY = f"""
import sys
from allocation.entrypoints.cli.main import main
try:
    main(["allocate-from-csv", sys.argv[1]])
finally:
    print([name for name in {DRIVERS} if name in sys.modules])
"""


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_no_driver_is_loaded(folder: Folder, ends: str) -> None:
    path = folder.orders("o1,S,1").path if ends == "well" else folder.path / "nowhere"
    done = subprocess.run([sys.executable, "-c", SPY, path], env=only({}), text=True, capture_output=True)
    assert done.returncode == (0 if ends == "well" else 1), done.stderr
    assert done.stdout.endswith("[]\n")


ETAS = ["", "", "2027-01-15", "2027-03-01"]


@pytest.mark.parametrize("seed", range(20))
def test_the_folder_and_the_fake_decide_alike(folder: Folder, seed: int) -> None:
    """Then more comes of each SKU: the fake gives it to its waiting lines, the second run finds them in orders.csv."""
    rng = random.Random(seed)
    batches = [
        f"b{rng.randrange(20)},{rng.choice('STU')},{rng.choice([1, 9, 20])},{rng.choice(ETAS)}" for _ in "x" * 12
    ]
    orders = [f"o{rng.randrange(60)},{rng.choice('STUV')},{rng.choice([1, 2, 7, 30])}" for _ in "x" * 120]
    fake, run = Fake(), folder.batches(*batches).orders(*orders).run()
    assert run.summary.short + run.summary.refused == fake.cannot_carry_out(folder)
    assert folder.batches_of_lines == fake.batches_of_lines
    more = [f"more-{sku},{sku},40,{rng.choice(ETAS)}" for sku in "STU"]
    run = folder.batches(*batches, *more).run()
    assert run.summary.short + run.summary.refused == fake.cannot_carry_out(folder)
    assert folder.batches_of_lines == fake.batches_of_lines
    assert run.summary.new > 0


def test_the_sample_is_allocated_as_by_the_fake(folder: Folder) -> None:
    for name in ("batches.csv", "orders.csv"):
        shutil.copy(SAMPLE / name, folder.path)
    fake, run = Fake(), folder.run()
    assert run.summary.short + run.summary.refused == fake.cannot_carry_out(folder)
    assert folder.batches_of_lines == fake.batches_of_lines


class Fake:
    """The service over the fake store, which is sent the rows of a folder as commands."""

    def __init__(self) -> None:
        self._store = FakeStore()
        self._bus = MessageBus(self._store.begin, lambda events: None)

    def cannot_carry_out(self, folder: Folder) -> int:
        """How many of the rows are refused, or are lines that wait."""
        batches = [
            CreateBatch(ref, sku, int(qty), date.fromisoformat(eta) if eta else None)
            for ref, sku, qty, eta in folder.rows("batches.csv")
        ]
        orders = [Allocate(orderid, sku, int(qty)) for orderid, sku, qty in folder.rows("orders.csv")]
        refused = sum(isinstance(outcome, Refusal) for outcome in self._bus.handle_all(batches))
        outcomes = list(self._bus.handle_all(orders))
        return refused + sum(
            isinstance(outcome, Refusal) or (order.orderid, order.sku) not in self.batches_of_lines
            for order, outcome in zip(orders, outcomes, strict=True)
        )

    @property
    def batches_of_lines(self) -> dict[tuple[str, str], str]:
        return {key: line.batchref for key, line in self._store.lines.items() if line.batchref is not None}
