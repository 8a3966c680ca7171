"""Which batch a line gets, told as scenarios."""

from datetime import date

import pytest

from allocation.adapters.in_memory import LinesInMemory
from allocation.domain.changes import Changes
from allocation.domain.errors import LineConflict
from allocation.domain.events import Allocated, BatchCreated, Event, OutOfStock
from allocation.domain.model import Batch, OrderLine, TrackedLine
from allocation.domain.product import Product

SOON, LATER = date(2027, 1, 15), date(2027, 3, 1)


def product_with(*batches: tuple[str, int, date | None]) -> Product:
    lines: dict[str, TrackedLine] = {}
    product = Product("S", LinesInMemory(lines), Changes(), lines=lines)
    for ref, qty, eta in batches:
        product.add_batch(Batch.create(ref, "S", qty, eta))
    return product


def events_of(product: Product) -> list[Event]:
    return product._ledger._changes.events


def allocate(product: Product, *lines: tuple[str, int]) -> None:
    for orderid, qty in lines:
        product.allocate(OrderLine(orderid, "S", qty))


def batches_of(product: Product) -> dict[str, str | None]:
    return {line.orderid: line.batchref for line in product.lines.values()}


@pytest.mark.parametrize(
    ("reason", "batches", "lines", "expected"),
    [
        ("warehouse stock before shipments", [("ship", 9, SOON), ("wh", 9, None)], [("o1", 5)], {"o1": "wh"}),
        ("the earlier shipment first", [("b", 9, LATER), ("a", 9, SOON)], [("o1", 5)], {"o1": "a"}),
        ("ties by reference", [("b", 9, SOON), ("a", 9, SOON)], [("o1", 5)], {"o1": "a"}),
        ("ties by reference in the warehouse too", [("b", 9, None), ("a", 9, None)], [("o1", 5)], {"o1": "a"}),
        ("an exact fit is a fit", [("wh", 5, None)], [("o1", 5)], {"o1": "wh"}),
        ("one unit too many waits", [("wh", 5, None)], [("o1", 6)], {"o1": None}),
        ("a line is never split", [("wh", 5, None), ("ship", 5, SOON)], [("o1", 6)], {"o1": None}),
        ("a line that does not fit goes to the next", [("wh", 5, None), ("s", 9, SOON)], [("o1", 6)], {"o1": "s"}),
        ("small ones go past one that waits", [("wh", 5, None)], [("o1", 6), ("o2", 5)], {"o1": None, "o2": "wh"}),
        ("what is taken is gone", [("wh", 5, None)], [("o1", 3), ("o2", 3)], {"o1": "wh", "o2": None}),
        ("the rest is used", [("wh", 5, None)], [("o1", 3), ("o2", 2)], {"o1": "wh", "o2": "wh"}),
    ],
)
def test_a_line_gets_the_preferred_batch_that_has_room(
    reason: str,
    batches: list[tuple[str, int, date | None]],
    lines: list[tuple[str, int]],
    expected: dict[str, str | None],
) -> None:
    product = product_with(*batches)
    allocate(product, *lines)
    assert batches_of(product) == expected, reason


@pytest.mark.parametrize(
    ("reason", "waiting", "added", "expected"),
    [
        ("the oldest first", [("o1", 5), ("o2", 5)], 5, {"o1": "new", "o2": None}),
        ("all that fit", [("o1", 5), ("o2", 5)], 10, {"o1": "new", "o2": "new"}),
        ("past one that is too large", [("o1", 9), ("o2", 5)], 5, {"o1": None, "o2": "new"}),
        ("what an older one leaves", [("o1", 4), ("o2", 5), ("o3", 2)], 6, {"o1": "new", "o2": None, "o3": "new"}),
        ("none where none fits", [("o1", 9)], 5, {"o1": None}),
    ],
)
def test_new_stock_goes_to_waiting_lines(
    reason: str, waiting: list[tuple[str, int]], added: int, expected: dict[str, str | None]
) -> None:
    product = product_with(("used-up", 1, None))
    allocate(product, ("o0", 1), *waiting)
    product.add_batch(Batch.create("new", "S", added, None))
    assert batches_of(product) == {"o0": "used-up"} | expected, reason


def test_a_batch_that_comes_later_is_preferred_less_from_then_on() -> None:
    product = product_with(("b1", 5, SOON), ("b2", 5, LATER))
    product.change_batch_eta("b1", date(2027, 6, 1))
    allocate(product, ("o1", 5))
    assert batches_of(product) == {"o1": "b2"}


def test_the_same_line_twice_is_one_line_and_one_event() -> None:
    # W5, W6: on the same batch or on another
    product = product_with(("b1", 10, None), ("b2", 10, None))
    allocate(product, ("o1", 10), ("o1", 10))
    assert [batch.allocated for batch in product.stock.batches] == [10, 0]
    assert [type(event) for event in events_of(product)] == [BatchCreated, BatchCreated, Allocated]


def test_a_waiting_line_sent_again_keeps_its_place() -> None:
    product = product_with(("b1", 1, None))
    allocate(product, ("o1", 5), ("o2", 5), ("o1", 5))
    product.add_batch(Batch.create("b2", "S", 5, None))
    assert batches_of(product) == {"o1": "b2", "o2": None}


def test_a_line_with_another_quantity_is_refused_and_changes_nothing() -> None:
    # W7
    product = product_with(("b1", 10, None))
    allocate(product, ("o1", 3))
    before = product.version
    with pytest.raises(LineConflict, match="Order o1 already has a line of 3 S, not of 4"):
        allocate(product, ("o1", 4))
    assert (product.version, product.stock.batches[0].allocated) == (before, 3)


def test_a_line_that_fits_nowhere_is_told_once() -> None:
    product = product_with(("b1", 1, None))
    allocate(product, ("o1", 5), ("o1", 5))
    [event] = [event for event in events_of(product) if isinstance(event, OutOfStock)]
    assert event.line is not None
    assert (event.line.orderid, event.line.qty, event.line.status) == ("o1", 5, "waiting")


def test_each_event_raises_the_version_by_one_and_marks_what_it_touched() -> None:
    product = product_with(("b1", 10, None), ("b2", 10, None))
    allocate(product, ("o1", 3), ("o2", 30))
    assert [event.version for event in events_of(product)] == [1, 2, 3, 4]
    assert {batch.ref: batch.version for batch in product.stock.batches} == {"b1": 3, "b2": 2}
    assert {line.orderid: line.version for line in product.lines.values()} == {"o1": 3, "o2": 4}


def test_events_bear_the_whole_truth() -> None:
    product = product_with(("b1", 10, SOON))
    allocate(product, ("o1", 30), ("o2", 4))
    event = events_of(product)[-1]
    assert (event.totals.available, event.totals.waiting_lines, event.totals.waiting_units) == (6, 1, 30)
    [batch] = event.batches
    assert (batch.ref, batch.qty, batch.allocated, batch.eta) == ("b1", 10, 4, SOON)
