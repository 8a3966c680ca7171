"""Lines change their quantity, and lines are shipped."""

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
from tests.support.service_layer.shop import Shop

B1, B2 = CreateBatch("b1", "S", 10), CreateBatch("b2", "S", 20)
O1 = Allocate("o1", "S", 6)


@pytest.mark.parametrize(
    ("before", "qty", "expected"),
    [
        ([B1, O1, B2], 2, {"o1": (2, "allocated", "b1")}),
        ([B1, O1, B2], 10, {"o1": (10, "allocated", "b1")}),
        ([B1, O1, B2], 11, {"o1": (11, "allocated", "b2")}),
        ([B1, O1, B2], 21, {"o1": (21, "waiting", None)}),
        ([CreateBatch("b1", "S", 6), O1, B2], 5, {"o1": (5, "allocated", "b1")}),
        ([B1, O1, Allocate("o2", "S", 8)], 2, {"o1": (2, "allocated", "b1"), "o2": (8, "allocated", "b1")}),
        (
            [B1, O1, Allocate("o2", "S", 8), CreateBatch("b2", "S", 7)],
            7,
            {"o1": (7, "allocated", "b1"), "o2": (8, "waiting", None)},
        ),
        ([B1, Allocate("o1", "S", 11)], 10, {"o1": (10, "allocated", "b1")}),
        ([B1, Allocate("o1", "S", 11)], 12, {"o1": (12, "waiting", None)}),
    ],
    ids=[
        "a smaller line keeps its batch",
        "a larger line keeps its batch if it fits",
        "a larger line gets another batch",
        "a line waits if it fits on no batch",
        "a smaller line keeps a batch that it has used up",
        "a waiting line gets the units that a smaller line frees",
        "a larger line keeps its batch although another line waits",
        "a waiting line gets a batch when it becomes small enough",
        "a waiting line that grows still waits",
    ],
)
def test_line_gets_another_quantity(
    before: Sequence[Command], qty: int, expected: dict[str, tuple[int, str, str | None]]
) -> None:
    shop = Shop(*before, ChangeLineQuantity("o1", "S", qty))
    assert {orderid: shop.line(orderid) for orderid in expected} == expected


def test_line_frees_its_batch_when_it_grows_too_large() -> None:
    shop = Shop(B1, O1, Allocate("o2", "S", 9), CreateBatch("b2", "S", 8), ChangeLineQuantity("o1", "S", 11))
    assert shop.lines() == {"o1": ("waiting", None), "o2": ("allocated", "b1")}
    shop.handle(ChangeBatchQuantity("b2", 11))
    assert shop.line("o1") == (11, "allocated", "b2")


def test_line_keeps_its_old_place_when_it_has_to_wait() -> None:
    shop = Shop(B1, O1, Allocate("o2", "S", 12), ChangeLineQuantity("o1", "S", 12), CreateBatch("b2", "S", 12))
    assert shop.lines() == {"o1": ("allocated", "b2"), "o2": ("waiting", None)}


@pytest.mark.parametrize("qty", [3, 5])
def test_line_with_another_quantity_keeps_its_rank(qty: int) -> None:
    """The batch still loses the other line first, because it allocated that line later."""
    shop = Shop(B1, Allocate("o1", "S", 4), Allocate("o2", "S", 4), ChangeLineQuantity("o1", "S", qty))
    shop.handle(ChangeBatchQuantity("b1", 6))
    assert shop.lines() == {"o1": ("allocated", "b1"), "o2": ("waiting", None)}


def test_line_with_the_same_quantity_does_not_change() -> None:
    shop = Shop(B1, O1, *[ChangeLineQuantity("o1", "S", 7)] * 2, Ship("o1", "S"), ChangeLineQuantity("o1", "S", 7))
    assert shop.event_types() == ["BatchCreated", "Allocated", "LineQuantityChanged", "Shipped"]


def test_shipped_units_stay_allocated() -> None:
    shop = Shop(B1, O1, *[Ship("o1", "S")] * 2)
    assert shop.line("o1") == (6, "shipped", "b1")
    assert shop.available() == {"b1": 4}
    assert shop.event_types().count("Shipped") == 1
    assert shop.store.batches["b1"].shipped == 6


def test_shipped_line_keeps_its_batch_when_the_batch_shrinks() -> None:
    shop = Shop(B1, Allocate("o1", "S", 5), Allocate("o2", "S", 5), Ship("o2", "S"), ChangeBatchQuantity("b1", 5))
    assert shop.lines() == {"o1": ("waiting", None), "o2": ("shipped", "b1")}


def test_repeated_allocation_is_accepted_after_shipping() -> None:
    shop = Shop(B1, O1, Ship("o1", "S"), O1)
    assert shop.line("o1") == (6, "shipped", "b1")


HISTORY = (
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
        (Allocate("shipped", "S", 5), LineConflict, "line of S already exists with quantity 4, not 5"),
        (ChangeLineQuantity("shipped", "S", 5), LineShipped, "has been shipped"),
        (ChangeLineQuantity("back", "S", 1), LineDeallocated, "has been deallocated"),
        (ChangeLineQuantity("o9", "S", 5), UnknownLine, "Order o9 has no line of S"),
        (ChangeBatchQuantity("b1", 3), BatchShipped, "Batch b1 can't shrink to 3: 4 of its units have been shipped"),
    ],
)
def test_refused_command_changes_nothing(command: Command, refusal: type[Refusal], message: str) -> None:
    shop = Shop(*HISTORY)
    lines, room, events = shop.lines(), shop.available(), shop.event_types()
    with pytest.raises(refusal, match=message):
        shop.handle(command)
    assert (shop.lines(), shop.available(), shop.event_types()) == (lines, room, events)
