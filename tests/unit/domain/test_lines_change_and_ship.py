"""Lines that get another quantity, and goods that leave."""

from collections.abc import Sequence

import pytest

from allocation.domain.commands import (
    Allocate,
    ChangeBatchQuantity,
    ChangeLineQuantity,
    Command,
    CreateBatch,
    Deallocate,
    Ship,
)
from allocation.domain.errors import (
    BatchShipped,
    LineConflict,
    LineDeallocated,
    LineNotAllocated,
    LineShipped,
    Refusal,
    UnknownLine,
)
from tests.support.shop import Shop

B1, B2 = CreateBatch("b1", "S", 10), CreateBatch("b2", "S", 20)
O1 = Allocate("o1", "S", 6)


@pytest.mark.parametrize(
    ("reason", "before", "qty", "expected"),
    [
        ("less stays where it is", [B1, O1, B2], 2, {"o1": (2, "allocated", "b1")}),
        ("more stays where there is room", [B1, O1, B2], 10, {"o1": (10, "allocated", "b1")}),
        ("more goes elsewhere where there is none", [B1, O1, B2], 11, {"o1": (11, "allocated", "b2")}),
        ("more waits where it fits nowhere", [B1, O1, B2], 21, {"o1": (21, "waiting", None)}),
        (
            "a used-up batch has the room that the line itself leaves",
            [CreateBatch("b1", "S", 6), O1, B2],
            5,
            {"o1": (5, "allocated", "b1")},
        ),
        (
            "what is left goes to who waits",
            [B1, O1, Allocate("o2", "S", 8)],
            2,
            {"o1": (2, "allocated", "b1"), "o2": (8, "allocated", "b1")},
        ),
        (
            "what is left behind goes to who waits",
            [B1, O1, Allocate("o2", "S", 8), CreateBatch("b2", "S", 7)],
            7,
            {"o1": (7, "allocated", "b1"), "o2": (8, "waiting", None)},
        ),
        (
            "a waiting line that is cut gets what fits",
            [B1, Allocate("o1", "S", 11)],
            10,
            {"o1": (10, "allocated", "b1")},
        ),
        ("a waiting line that grows waits", [B1, Allocate("o1", "S", 11)], 12, {"o1": (12, "waiting", None)}),
    ],
)
def test_a_line_with_another_quantity(
    reason: str, before: Sequence[Command], qty: int, expected: dict[str, tuple[int, str, str | None]]
) -> None:
    shop = Shop(*before, ChangeLineQuantity("o1", "S", qty))
    assert {orderid: shop.line(orderid) for orderid in expected} == expected, reason


def test_a_line_that_has_to_leave_frees_its_batch_for_who_waits() -> None:
    shop = Shop(B1, O1, Allocate("o2", "S", 9), CreateBatch("b2", "S", 8), ChangeLineQuantity("o1", "S", 11))
    assert shop.lines() == {"o1": ("waiting", None), "o2": ("allocated", "b1")}
    shop.handle(ChangeBatchQuantity("b2", 11))
    assert shop.line("o1") == (11, "allocated", "b2")


def test_a_line_that_has_to_wait_waits_in_its_old_place() -> None:
    shop = Shop(B1, O1, Allocate("o2", "S", 12), ChangeLineQuantity("o1", "S", 12), CreateBatch("b2", "S", 12))
    assert shop.lines() == {"o1": ("allocated", "b2"), "o2": ("waiting", None)}


@pytest.mark.parametrize("qty", [3, 5])
def test_a_line_that_keeps_its_batch_keeps_its_rank_among_those_that_may_lose_it(qty: int) -> None:
    shop = Shop(B1, Allocate("o1", "S", 4), Allocate("o2", "S", 4), ChangeLineQuantity("o1", "S", qty))
    shop.handle(ChangeBatchQuantity("b1", 6))
    assert shop.lines() == {"o1": ("allocated", "b1"), "o2": ("waiting", None)}


def test_the_same_quantity_changes_nothing() -> None:
    shop = Shop(B1, O1, *[ChangeLineQuantity("o1", "S", 7)] * 2, Ship("o1", "S"), ChangeLineQuantity("o1", "S", 7))
    assert shop.types() == ["BatchCreated", "Allocated", "LineQuantityChanged", "Shipped"]


def test_goods_that_have_left_stay_counted() -> None:
    shop = Shop(B1, O1, *[Ship("o1", "S")] * 2)
    assert shop.line("o1") == (6, "shipped", "b1")
    assert shop.room() == {"b1": 4}
    assert shop.types().count("Shipped") == 1
    assert shop.store.batches["b1"].shipped == 6


def test_a_shipped_line_never_loses_its_batch() -> None:
    shop = Shop(B1, Allocate("o1", "S", 5), Allocate("o2", "S", 5), Ship("o2", "S"), ChangeBatchQuantity("b1", 5))
    assert shop.lines() == {"o1": ("waiting", None), "o2": ("shipped", "b1")}


def test_who_sends_the_order_again_after_it_was_shipped_is_answered_alike() -> None:
    shop = Shop(B1, O1, Ship("o1", "S"), O1)
    assert shop.line("o1") == (6, "shipped", "b1")


LIVED_IN = (
    CreateBatch("b1", "S", 10),
    Allocate("shipped", "S", 4),
    Ship("shipped", "S"),
    Allocate("on-it", "S", 4),
    Allocate("waiting", "S", 50),
    Allocate("back", "S", 1),
    Deallocate("back", "S"),
)


@pytest.mark.parametrize(
    ("command", "refusal", "message"),
    [
        (Ship("o9", "S"), UnknownLine, "Order o9 has no line of S"),
        (Ship("shipped", "X"), UnknownLine, "Order shipped has no line of X"),
        (Ship("waiting", "S"), LineNotAllocated, "is waiting, not allocated"),
        (Ship("back", "S"), LineNotAllocated, "is deallocated, not allocated"),
        (Deallocate("shipped", "S"), LineShipped, "has been shipped"),
        (Allocate("shipped", "S", 5), LineConflict, "already has a line of 4 S, not of 5"),
        (ChangeLineQuantity("shipped", "S", 5), LineShipped, "has been shipped"),
        (ChangeLineQuantity("back", "S", 1), LineDeallocated, "has been deallocated"),
        (ChangeLineQuantity("o9", "S", 5), UnknownLine, "Order o9 has no line of S"),
        (ChangeBatchQuantity("b1", 3), BatchShipped, "Batch b1 can't shrink to 3: 4 of its units have been shipped"),
    ],
)
def test_what_the_rules_do_not_allow_is_refused_and_changes_nothing(
    command: Command, refusal: type[Refusal], message: str
) -> None:
    shop = Shop(*LIVED_IN)
    lines, room, events = shop.lines(), shop.room(), shop.types()
    with pytest.raises(refusal, match=message):
        shop.handle(command)
    assert (shop.lines(), shop.room(), shop.types()) == (lines, room, events)
