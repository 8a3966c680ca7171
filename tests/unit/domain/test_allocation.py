"""A line gets the preferred batch with room, or it waits until a batch has room."""

from datetime import date

import pytest

from allocation.adapters.in_memory import LinesInMemory
from allocation.domain.changes import Changes
from allocation.domain.errors import LineConflict
from allocation.domain.events import Allocated, BatchCreated, OutOfStock
from allocation.domain.model import Batch, OrderLine, TrackedLine
from allocation.domain.product import Product

SOON, LATER = date(2027, 1, 15), date(2027, 3, 1)


def product_with(*batches: tuple[str, int, date | None], changes: Changes | None = None) -> Product:
    """Return a product with these batches: reference, quantity and ETA. `changes` collects its events."""
    lines: dict[str, TrackedLine] = {}
    product = Product("S", LinesInMemory(lines), Changes() if changes is None else changes, lines=lines)
    for ref, qty, eta in batches:
        product.add_batch(Batch.create(ref, "S", qty, eta))
    return product


def allocate(product: Product, *lines: tuple[str, int]) -> None:
    for orderid, qty in lines:
        product.allocate(OrderLine(orderid, "S", qty))


def batches_of(product: Product) -> dict[str, str | None]:
    return {line.orderid: line.batchref for line in product.lines.values()}


@pytest.mark.parametrize(
    ("batches", "lines", "expected"),
    [
        ([("ship", 9, SOON), ("wh", 9, None)], [("o1", 5)], {"o1": "wh"}),
        ([("b", 9, LATER), ("a", 9, SOON)], [("o1", 5)], {"o1": "a"}),
        ([("b", 9, SOON), ("a", 9, SOON)], [("o1", 5)], {"o1": "a"}),
        ([("b", 9, None), ("a", 9, None)], [("o1", 5)], {"o1": "a"}),
        ([("wh", 5, None)], [("o1", 5)], {"o1": "wh"}),
        ([("wh", 5, None)], [("o1", 6)], {"o1": None}),
        ([("wh", 5, None), ("ship", 5, SOON)], [("o1", 6)], {"o1": None}),
        ([("wh", 5, None), ("ship", 9, SOON)], [("o1", 6)], {"o1": "ship"}),
        ([("wh", 5, None)], [("o1", 6), ("o2", 5)], {"o1": None, "o2": "wh"}),
        ([("wh", 5, None)], [("o1", 3), ("o2", 3)], {"o1": "wh", "o2": None}),
        ([("wh", 5, None)], [("o1", 3), ("o2", 2)], {"o1": "wh", "o2": "wh"}),
    ],
    ids=[
        "warehouse stock is preferred to shipments",
        "the earlier shipment is preferred",
        "the reference decides between equal ETAs",
        "the reference decides between warehouse batches",
        "a line may use a batch up",
        "a line with one unit too many waits",
        "a line is never split",
        "a line gets a later batch if the first is too small",
        "a small line overtakes a waiting line",
        "allocated units are not available",
        "a second line gets the remaining units",
    ],
)
def test_line_gets_the_preferred_batch_with_room(
    batches: list[tuple[str, int, date | None]], lines: list[tuple[str, int]], expected: dict[str, str | None]
) -> None:
    product = product_with(*batches)
    allocate(product, *lines)
    assert batches_of(product) == expected


@pytest.mark.parametrize(
    ("waiting", "added", "expected"),
    [
        ([("o1", 5), ("o2", 5)], 5, {"o1": "new", "o2": None}),
        ([("o1", 5), ("o2", 5)], 10, {"o1": "new", "o2": "new"}),
        ([("o1", 9), ("o2", 5)], 5, {"o1": None, "o2": "new"}),
        ([("o1", 4), ("o2", 5), ("o3", 2)], 6, {"o1": "new", "o2": None, "o3": "new"}),
        ([("o1", 9)], 5, {"o1": None}),
    ],
    ids=[
        "the oldest line is the first to get a batch",
        "every line that fits is allocated",
        "a line that is too large is skipped",
        "a small line gets the units that an older line leaves",
        "no line is allocated if none fits",
    ],
)
def test_waiting_lines_get_the_stock_of_a_new_batch(
    waiting: list[tuple[str, int]], added: int, expected: dict[str, str | None]
) -> None:
    product = product_with(("used-up", 1, None))
    allocate(product, ("o0", 1), *waiting)
    product.add_batch(Batch.create("new", "S", added, None))
    assert batches_of(product) == {"o0": "used-up"} | expected


def test_later_eta_makes_a_batch_less_preferred() -> None:
    product = product_with(("b1", 5, SOON), ("b2", 5, LATER))
    product.change_batch_eta("b1", date(2027, 6, 1))
    allocate(product, ("o1", 5))
    assert batches_of(product) == {"o1": "b2"}


def test_repeated_line_is_allocated_and_reported_once() -> None:
    """The first batch is used up by then. The repeated line must not get the second batch."""
    changes = Changes()
    product = product_with(("b1", 10, None), ("b2", 10, None), changes=changes)
    allocate(product, ("o1", 10), ("o1", 10))
    assert [batch.allocated for batch in product.stock.batches] == [10, 0]
    assert [type(event) for event in changes.events] == [BatchCreated, BatchCreated, Allocated]


def test_waiting_line_keeps_its_place_when_it_is_repeated() -> None:
    product = product_with(("b1", 1, None))
    allocate(product, ("o1", 5), ("o2", 5), ("o1", 5))
    product.add_batch(Batch.create("b2", "S", 5, None))
    assert batches_of(product) == {"o1": "b2", "o2": None}


def test_line_with_another_quantity_is_refused() -> None:
    """The order id and the SKU identify a line. So this line is not a second one, and nothing changes."""
    product = product_with(("b1", 10, None))
    allocate(product, ("o1", 3))
    before = product.version
    with pytest.raises(LineConflict, match="Order o1's line of S already exists with quantity 3, not 4"):
        allocate(product, ("o1", 4))
    assert (product.version, product.stock.batches[0].allocated) == (before, 3)


def test_line_that_fits_on_no_batch_is_reported_once() -> None:
    changes = Changes()
    product = product_with(("b1", 1, None), changes=changes)
    allocate(product, ("o1", 5), ("o1", 5))
    [event] = [event for event in changes.events if isinstance(event, OutOfStock)]
    assert event.line is not None
    assert (event.line.orderid, event.line.qty, event.line.status) == ("o1", 5, "waiting")


def test_each_event_increments_the_version_and_stamps_its_rows() -> None:
    changes = Changes()
    product = product_with(("b1", 10, None), ("b2", 10, None), changes=changes)
    allocate(product, ("o1", 3), ("o2", 30))
    assert [event.version for event in changes.events] == [1, 2, 3, 4]
    assert {batch.ref: batch.version for batch in product.stock.batches} == {"b1": 3, "b2": 2}
    assert {line.orderid: line.version for line in product.lines.values()} == {"o1": 3, "o2": 4}


def test_event_carries_the_totals_and_its_batch() -> None:
    changes = Changes()
    product = product_with(("b1", 10, SOON), changes=changes)
    allocate(product, ("o1", 30), ("o2", 4))
    event = changes.events[-1]
    assert (event.totals.available, event.totals.waiting_lines, event.totals.waiting_units) == (6, 1, 30)
    [batch] = event.batches
    assert (batch.ref, batch.qty, batch.allocated, batch.eta) == ("b1", 10, 4, SOON)
