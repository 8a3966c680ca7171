"""Events say why a line waits, or did not get the first batch that had anything left."""

from datetime import date
from typing import Any

from allocation.domain.commands import Allocate, ChangeBatchQuantity, ChangeLineQuantity, CreateBatch, Deallocate
from tests.support.shop import Shop

SOON, LATER = date(2027, 1, 15), date(2027, 3, 1)
STOCK = (CreateBatch("wh", "S", 3), CreateBatch("soon", "S", 5, SOON), CreateBatch("later", "S", 9, LATER))
WH = {"ref": "wh", "eta": None, "available": 3}
SOON_5 = {"ref": "soon", "eta": "2027-01-15", "available": 5}
LATER_9 = {"ref": "later", "eta": "2027-03-01", "available": 9}


def last(shop: Shop, member: str = "why") -> Any:
    return shop.store.log[-1].get(member, "nothing is said")


def test_who_gets_the_first_batch_is_told_nothing() -> None:
    assert last(Shop(*STOCK, Allocate("o1", "S", 3))) == "nothing is said"


def test_a_batch_that_is_used_up_is_no_candidate() -> None:
    shop = Shop(*STOCK, Allocate("o1", "S", 3), Allocate("o2", "S", 5), Allocate("o3", "S", 1))
    assert last(shop) == "nothing is said"


def test_who_gets_a_later_batch_is_told_which_had_too_little_left() -> None:
    assert last(Shop(*STOCK, Allocate("o1", "S", 6))) == [WH, SOON_5]


def test_who_waits_is_told_what_every_batch_had_left() -> None:
    assert last(Shop(*STOCK, Allocate("o1", "S", 10))) == [WH, SOON_5, LATER_9]


def test_where_nothing_is_left_there_is_no_candidate() -> None:
    shop = Shop(CreateBatch("b1", "S", 3), Allocate("o1", "S", 3), Allocate("o2", "S", 1))
    assert (last(shop, "type"), last(shop)) == ("OutOfStock", [])


def test_at_most_five_are_named_the_preferred_first() -> None:
    shop = Shop(*(CreateBatch(f"b{n}", "S", n) for n in range(7, 0, -1)), Allocate("o1", "S", 8))
    assert [one["ref"] for one in last(shop)] == ["b1", "b2", "b3", "b4", "b5"]


def test_who_loses_a_batch_and_has_to_wait_is_told_why() -> None:
    shop = Shop(*STOCK, Allocate("o1", "S", 9), ChangeBatchQuantity("later", 8))
    assert (last(shop, "type"), last(shop)) == ("OutOfStock", [WH, SOON_5, LATER_9 | {"available": 8}])


def test_who_gets_freed_stock_is_told_what_was_passed_over() -> None:
    shop = Shop(*STOCK, Allocate("o1", "S", 9), Allocate("o2", "S", 8), Deallocate("o1", "S"))
    assert (last(shop, "type"), last(shop)) == ("Allocated", [WH, SOON_5])


def test_a_line_whose_new_quantity_fits_nowhere_is_told_why() -> None:
    shop = Shop(*STOCK, Allocate("o1", "S", 2), ChangeLineQuantity("o1", "S", 10))
    assert (last(shop, "type"), last(shop)) == ("OutOfStock", [WH, SOON_5, LATER_9])
