"""allocate_from_csv reads batches.csv and orders.csv, and writes a batch for each line to allocations.csv."""

from tests.support.adapters.csv_folder import Folder


def test_each_line_gets_the_preferred_batch_with_room(folder: Folder) -> None:
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
    """If o1 also got b2, each repeated run would use up more stock."""
    folder.batches("b1,S,10,", "b2,S,10,").orders("o1,S,10", "o2,S,11", "o3,S,10", "o4,S,1", "o1,S,10")
    first, content, stat = folder.run(), folder.content, (folder.path / "allocations.csv").stat()
    second = folder.run()
    assert folder.content == content == b"orderid,sku,qty,batchref\no1,S,10,b1\no3,S,10,b2\n"
    assert (folder.path / "allocations.csv").stat() == stat, "the second run must not write the file"
    assert (
        first.reports
        == second.reports
        == [
            "orders.csv, line 3: Out of stock for S: no batch has 11 left for order o2",
            "orders.csv, line 5: Out of stock for S: no batch has 1 left for order o4",
        ]
    )
    assert (first.summary.new, second.summary.new) == (2, 0)
    assert first.summary.allocated == second.summary.allocated == 3, "a repeated row counts twice"


def test_short_lines_get_new_stock_in_the_order_of_orders_csv(folder: Folder) -> None:
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


def test_an_overdrawn_batch_gets_no_more_lines(folder: Folder) -> None:
    folder.batches("b1,S,8,", "b2,S,2,2027-01-15").allocations("o1,S,6,b1", "o2,S,4,b1", "o3,S,1,b1")
    before = folder.content
    run = folder.orders("o1,S,6", "o2,S,4", "o3,S,1", "o4,S,1", "o5,S,1").run()
    assert [report.partition(":")[0] for report in run.reports] == ["allocations.csv, line 3", "orders.csv, line 3"]
    assert folder.content == before + b"o4,S,1,b2\no5,S,1,b2\n", "b1 owes its last unit to o2"
    assert folder.batches("b1,S,11,", "b2,S,2,2027-01-15").run().reports == [], "b1 has enough for its lines again"


def test_a_batch_of_0_units_still_makes_its_sku_known(folder: Folder) -> None:
    run = folder.batches("b1,S,0,").orders("o1,S,1").run()
    assert run.reports == ["orders.csv, line 2: Out of stock for S: no batch has 1 left for order o1"]


def test_a_line_keeps_its_batch_when_its_quantity_changes(folder: Folder) -> None:
    folder.orders("o1,S,1").run()
    run = folder.orders("o1,S,2").run()
    assert run.reports == ["orders.csv, line 2: Order o1's line of S already exists with quantity 1, not 2"]
    assert folder.allocated == [["o1", "S", "1", "b1"]]


def test_an_allocation_keeps_its_stock_without_its_order(folder: Folder) -> None:
    folder.orders("o1,S,10").run()
    run = folder.orders("o2,S,1").run()
    assert len(run.reports) == 1
    assert folder.allocated == [["o1", "S", "10", "b1"]]
