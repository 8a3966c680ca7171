"""The member `why` of an event names the batches that had stock, but too little for the line."""

from datetime import date
from typing import Any

from allocation.domain.commands import Allocate, ChangeBatchQuantity, ChangeLineQuantity, CreateBatch, Deallocate
from tests.support.service_layer.shop import Shop

SOON, LATER = date(2027, 1, 15), date(2027, 3, 1)
STOCK = (CreateBatch("wh", "S", 3), CreateBatch("soon", "S", 5, SOON), CreateBatch("later", "S", 9, LATER))
WH = {"ref": "wh", "eta": None, "available": 3}
SOON_5 = {"ref": "soon", "eta": "2027-01-15", "available": 5}
LATER_9 = {"ref": "later", "eta": "2027-03-01", "available": 9}
ABSENT = "absent"


def last_event(shop: Shop, member: str = "why") -> Any:
    """Return a member of the last event, or ABSENT."""
    return shop.store.log[-1].get(member, ABSENT)


def test_why_is_absent_when_the_line_gets_the_first_batch() -> None:
    assert last_event(Shop(*STOCK, Allocate("o1", "S", 3))) == ABSENT


def test_why_omits_used_up_batches() -> None:
    shop = Shop(*STOCK, Allocate("o1", "S", 3), Allocate("o2", "S", 5), Allocate("o3", "S", 1))
    assert last_event(shop) == ABSENT


def test_why_names_the_batches_before_the_allocated_one() -> None:
    assert last_event(Shop(*STOCK, Allocate("o1", "S", 6))) == [WH, SOON_5]


def test_why_names_every_batch_with_stock_when_a_line_waits() -> None:
    assert last_event(Shop(*STOCK, Allocate("o1", "S", 10))) == [WH, SOON_5, LATER_9]


def test_why_is_empty_when_no_batch_has_stock() -> None:
    shop = Shop(CreateBatch("b1", "S", 3), Allocate("o1", "S", 3), Allocate("o2", "S", 1))
    assert (last_event(shop, "type"), last_event(shop)) == ("OutOfStock", [])


def test_why_names_at_most_five_batches_in_preference_order() -> None:
    shop = Shop(*(CreateBatch(f"b{n}", "S", n) for n in range(7, 0, -1)), Allocate("o1", "S", 8))
    assert [batch["ref"] for batch in last_event(shop)] == ["b1", "b2", "b3", "b4", "b5"]


def test_why_explains_that_a_displaced_line_waits() -> None:
    shop = Shop(*STOCK, Allocate("o1", "S", 9), ChangeBatchQuantity("later", 8))
    assert (last_event(shop, "type"), last_event(shop)) == ("OutOfStock", [WH, SOON_5, LATER_9 | {"available": 8}])


def test_why_names_the_batches_before_a_freed_one() -> None:
    shop = Shop(*STOCK, Allocate("o1", "S", 9), Allocate("o2", "S", 8), Deallocate("o1", "S"))
    assert (last_event(shop, "type"), last_event(shop)) == ("Allocated", [WH, SOON_5])


def test_why_explains_that_a_line_with_a_new_quantity_waits() -> None:
    shop = Shop(*STOCK, Allocate("o1", "S", 2), ChangeLineQuantity("o1", "S", 10))
    assert (last_event(shop, "type"), last_event(shop)) == ("OutOfStock", [WH, SOON_5, LATER_9])
