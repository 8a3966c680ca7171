"""Orders as a whole: each line on its own feet, or all or none; and taken back."""

from typing import Any

import pytest

from allocation.domain.commands import Allocate, AllocateOrder, CancelOrder, CreateBatch, Deallocate, Ship
from allocation.domain.errors import OrderShipped, OrderShort, ShortLine, UnknownOrder
from allocation.domain.model import OrderLine
from tests.support.shop import Shop

STOCK = (CreateBatch("b1", "S", 10), CreateBatch("b2", "T", 5))


def lines_of(shop: Shop, *lines: tuple[str, int]) -> list[dict[str, Any]]:
    outcome = shop.bus.handle(AllocateOrder("o1", lines))
    assert outcome is not None
    assert outcome.orderid == "o1"
    return [{"sku": line.order_line.sku, "status": line.status, "batchref": line.batchref} for line in outcome.lines]


def test_each_line_has_its_outcome_in_the_order_in_which_it_was_asked_for() -> None:
    shop = Shop(*STOCK)
    assert lines_of(shop, ("T", 6), ("X", 1), ("S", 4)) == [
        {"sku": "T", "status": "waiting", "batchref": None},
        {"sku": "X", "status": "refused", "batchref": None},
        {"sku": "S", "status": "allocated", "batchref": "b1"},
    ]


def test_an_order_sent_again_has_the_same_outcome_and_no_further_effect() -> None:
    shop = Shop(*STOCK)
    first = lines_of(shop, ("T", 6), ("X", 1), ("S", 4))
    events = shop.types()
    assert lines_of(shop, ("T", 6), ("X", 1), ("S", 4)) == first
    assert shop.types() == events


def test_a_line_with_another_quantity_than_before_is_refused_alone() -> None:
    shop = Shop(*STOCK, Allocate("o1", "S", 3))
    assert [line["status"] for line in lines_of(shop, ("S", 4), ("T", 4))] == ["refused", "allocated"]
    assert shop.line("o1") == (3, "allocated", "b1")


def test_all_or_nothing_takes_all() -> None:
    shop = Shop(*STOCK, Allocate("o1", "T", 5), AllocateOrder("o1", (("S", 10), ("T", 5)), all_or_nothing=True))
    assert (shop.line("o1", "S"), shop.line("o1", "T")) == ((10, "allocated", "b1"), (5, "allocated", "b2"))


def test_all_or_nothing_names_every_short_line_and_takes_none() -> None:
    shop = Shop(*STOCK, CreateBatch("b3", "U", 1), Allocate("o1", "U", 2), CreateBatch("b4", "V", 9))
    shop.handle(Allocate("o1", "V", 2))
    events = shop.types()
    lines = (("S", 10), ("T", 6), ("X", 1), ("U", 2), ("V", 3))
    with pytest.raises(OrderShort) as refused:
        shop.handle(AllocateOrder("o1", lines, all_or_nothing=True))
    assert refused.value.lines == [
        ShortLine(OrderLine("o1", "T", 6), "No batch has 6 left"),
        ShortLine(OrderLine("o1", "X", 1), "Invalid sku X"),
        ShortLine(OrderLine("o1", "U", 2), "No batch has 2 left"),
        ShortLine(OrderLine("o1", "V", 3), "Order o1 already has a line of 2 V, not of 3"),
    ]
    assert shop.types() == events


def test_a_cancelled_order_gives_back_every_line() -> None:
    shop = Shop(*STOCK, AllocateOrder("o1", (("S", 10), ("T", 9))), Allocate("o2", "S", 7), CancelOrder("o1"))
    assert shop.line("o1", "S") == (10, "deallocated", None)
    assert shop.line("o1", "T") == (9, "deallocated", None)
    assert shop.line("o2") == (7, "allocated", "b1"), "in the same transaction"


def test_an_order_is_cancelled_once_and_may_be_partly_taken_back_already() -> None:
    shop = Shop(*STOCK, AllocateOrder("o1", (("S", 10), ("T", 5))), Deallocate("o1", "S"), *[CancelOrder("o1")] * 2)
    assert shop.types().count("Deallocated") == 2


def test_an_order_of_which_something_was_shipped_stays_as_it_is() -> None:
    shop = Shop(*STOCK, AllocateOrder("o1", (("S", 10), ("T", 5))), Ship("o1", "T"))
    with pytest.raises(OrderShipped, match="Order o1 can't be cancelled: its lines of T have been shipped"):
        shop.handle(CancelOrder("o1"))
    assert shop.line("o1", "S") == (10, "allocated", "b1")


def test_an_order_that_never_was_can_not_be_cancelled() -> None:
    with pytest.raises(UnknownOrder, match="There is no order o1"):
        Shop(*STOCK).handle(CancelOrder("o1"))
