"""AllocateOrder allocates each line of an order by itself, or all or none. CancelOrder deallocates all of them."""

from typing import Any

import pytest

from allocation.domain.commands import Allocate, AllocateOrder, CancelOrder, CreateBatch, Deallocate, Ship
from allocation.domain.errors import OrderShipped, OrderShort, ShortLine, UnknownOrder
from allocation.domain.model import OrderLine
from tests.support.service_layer.shop import Shop

STOCK = (CreateBatch("b1", "S", 10), CreateBatch("b2", "T", 5))


def allocate_order(shop: Shop, *lines: tuple[str, int]) -> list[dict[str, Any]]:
    """Allocate these pairs of SKU and quantity as order o1. Return the outcome of each line."""
    outcome = shop.bus.handle(AllocateOrder("o1", lines))
    assert outcome is not None
    assert outcome.orderid == "o1"
    return [{"sku": line.order_line.sku, "status": line.status, "batchref": line.batchref} for line in outcome.lines]


def test_outcomes_are_in_the_order_of_the_command() -> None:
    shop = Shop(*STOCK)
    assert allocate_order(shop, ("T", 6), ("X", 1), ("S", 4)) == [
        {"sku": "T", "status": "waiting", "batchref": None},
        {"sku": "X", "status": "refused", "batchref": None},
        {"sku": "S", "status": "allocated", "batchref": "b1"},
    ]


def test_repeated_order_has_the_same_outcome_and_no_effect() -> None:
    shop = Shop(*STOCK)
    first = allocate_order(shop, ("T", 6), ("X", 1), ("S", 4))
    events = shop.event_types()
    assert allocate_order(shop, ("T", 6), ("X", 1), ("S", 4)) == first
    assert shop.event_types() == events


def test_line_with_another_quantity_is_refused_alone() -> None:
    shop = Shop(*STOCK, Allocate("o1", "S", 3))
    assert [line["status"] for line in allocate_order(shop, ("S", 4), ("T", 4))] == ["refused", "allocated"]
    assert shop.line("o1") == (3, "allocated", "b1")


def test_all_or_nothing_allocates_every_line_when_all_fit() -> None:
    shop = Shop(*STOCK, Allocate("o1", "T", 5), AllocateOrder("o1", (("S", 10), ("T", 5)), all_or_nothing=True))
    assert (shop.line("o1", "S"), shop.line("o1", "T")) == ((10, "allocated", "b1"), (5, "allocated", "b2"))


def test_all_or_nothing_is_refused_with_every_short_line() -> None:
    shop = Shop(*STOCK, CreateBatch("b3", "U", 1), Allocate("o1", "U", 2), CreateBatch("b4", "V", 9))
    shop.handle(Allocate("o1", "V", 2))
    events = shop.event_types()
    lines = (("S", 10), ("T", 6), ("X", 1), ("U", 2), ("V", 3))
    with pytest.raises(OrderShort) as refused:
        shop.handle(AllocateOrder("o1", lines, all_or_nothing=True))
    assert refused.value.lines == [
        ShortLine(OrderLine("o1", "T", 6), "No batch has 6 left"),
        ShortLine(OrderLine("o1", "X", 1), "Invalid sku X"),
        ShortLine(OrderLine("o1", "U", 2), "No batch has 2 left"),
        ShortLine(OrderLine("o1", "V", 3), "Order o1's line of V already exists with quantity 2, not 3"),
    ]
    assert shop.event_types() == events


def test_cancelled_order_loses_every_line_and_frees_its_stock() -> None:
    shop = Shop(*STOCK, AllocateOrder("o1", (("S", 10), ("T", 9))), Allocate("o2", "S", 7), CancelOrder("o1"))
    assert shop.line("o1", "S") == (10, "deallocated", None)
    assert shop.line("o1", "T") == (9, "deallocated", None)
    assert shop.line("o2") == (7, "allocated", "b1"), "the cancellation allocates waiting lines"


def test_cancelling_deallocates_each_line_only_once() -> None:
    shop = Shop(*STOCK, AllocateOrder("o1", (("S", 10), ("T", 5))), Deallocate("o1", "S"), *[CancelOrder("o1")] * 2)
    assert shop.event_types().count("Deallocated") == 2


def test_order_with_a_shipped_line_cannot_be_cancelled() -> None:
    shop = Shop(*STOCK, AllocateOrder("o1", (("S", 10), ("T", 5))), Ship("o1", "T"))
    with pytest.raises(OrderShipped, match="Order o1 can't be cancelled: its lines of T have been shipped"):
        shop.handle(CancelOrder("o1"))
    assert shop.line("o1", "S") == (10, "allocated", "b1")


def test_unknown_order_cannot_be_cancelled() -> None:
    with pytest.raises(UnknownOrder, match="There is no order o1"):
        Shop(*STOCK).handle(CancelOrder("o1"))
