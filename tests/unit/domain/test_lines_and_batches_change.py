"""Lines are deallocated, batches grow and shrink, and ETAs change."""

from datetime import date

import pytest

from allocation.domain.commands import Allocate, ChangeBatchEta, ChangeBatchQuantity, Command, CreateBatch, Deallocate
from allocation.domain.errors import Refusal, UnknownBatch, UnknownLine
from tests.support.service_layer.shop import Shop

SOON, LATER = date(2027, 1, 15), date(2027, 3, 1)


def test_deallocated_line_frees_its_batch() -> None:
    shop = Shop(CreateBatch("b1", "S", 10), Allocate("o1", "S", 10), Deallocate("o1", "S"))
    assert shop.lines() == {"o1": ("deallocated", None)}
    assert shop.available() == {"b1": 10}
    assert shop.store.log[-1]["type"] == "Deallocated"
    assert shop.store.log[-1]["available"] == 10


def test_longest_waiting_line_gets_the_freed_stock() -> None:
    shop = Shop(
        CreateBatch("b1", "S", 10),
        *(Allocate(f"o{n}", "S", 10) for n in range(4)),
        Deallocate("o0", "S"),
    )
    assert shop.lines() == {
        "o0": ("deallocated", None),
        "o1": ("allocated", "b1"),
        "o2": ("waiting", None),
        "o3": ("waiting", None),
    }


def test_deallocated_line_leaves_the_waiting_list() -> None:
    shop = Shop(CreateBatch("b1", "S", 1), Allocate("o1", "S", 5), Allocate("o2", "S", 5), Deallocate("o1", "S"))
    assert shop.store.log[-1]["waiting"] == {"lines": 1, "units": 5}
    shop.handle(CreateBatch("b2", "S", 5))
    assert shop.lines() == {"o1": ("deallocated", None), "o2": ("allocated", "b2")}


def test_repeated_deallocation_has_no_further_effect() -> None:
    shop = Shop(CreateBatch("b1", "S", 10), Allocate("o1", "S", 4), Deallocate("o1", "S"), Deallocate("o1", "S"))
    assert shop.available() == {"b1": 10}
    assert shop.event_types().count("Deallocated") == 1


def test_deallocated_line_can_be_allocated_again() -> None:
    """It may have another quantity. If it has to wait, it waits at the end of the waiting list."""
    shop = Shop(CreateBatch("b1", "S", 1), *(Allocate(f"o{n}", "S", 5) for n in (1, 2)), Deallocate("o1", "S"))
    shop.handle(Allocate("o1", "S", 4))
    shop.handle(CreateBatch("b2", "S", 5))
    assert shop.lines() == {"o1": ("waiting", None), "o2": ("allocated", "b2")}
    shop.handle(CreateBatch("b3", "S", 4))
    assert shop.lines()["o1"] == ("allocated", "b3")


@pytest.mark.parametrize(
    ("command", "refusal", "message"),
    [
        (Deallocate("o9", "S"), UnknownLine, "Order o9 has no line of S"),
        (Deallocate("o1", "X"), UnknownLine, "Order o1 has no line of X"),
        (ChangeBatchQuantity("b9", 5), UnknownBatch, "There is no batch b9"),
        (ChangeBatchEta("b9", None), UnknownBatch, "There is no batch b9"),
    ],
)
def test_command_with_an_unknown_name_is_refused(command: Command, refusal: type[Refusal], message: str) -> None:
    shop = Shop(CreateBatch("b1", "S", 10), Allocate("o1", "S", 4))
    with pytest.raises(refusal, match=message):
        shop.handle(command)
    assert shop.event_types() == ["BatchCreated", "Allocated"]


def test_waiting_line_is_allocated_when_a_batch_grows() -> None:
    shop = Shop(CreateBatch("b1", "S", 10), Allocate("o1", "S", 12), ChangeBatchQuantity("b1", 15))
    assert shop.lines() == {"o1": ("allocated", "b1")}
    assert shop.available() == {"b1": 3}
    assert shop.event_types()[-2:] == ["BatchQuantityChanged", "Allocated"]


def test_used_up_batch_may_grow_and_shrink() -> None:
    shop = Shop(CreateBatch("b1", "S", 10), Allocate("o1", "S", 10), ChangeBatchQuantity("b1", 12))
    assert shop.available() == {"b1": 2}
    shop.handle(ChangeBatchQuantity("b1", 0), ChangeBatchQuantity("b1", 10))
    assert shop.lines() == {"o1": ("allocated", "b1")}


def test_repeated_batch_change_has_no_further_effect() -> None:
    shop = Shop(CreateBatch("b1", "S", 10))
    shop.handle(*[ChangeBatchQuantity("b1", 7)] * 2, *[ChangeBatchEta("b1", SOON)] * 2)
    assert shop.event_types() == ["BatchCreated", "BatchQuantityChanged", "BatchEtaChanged"]


def test_repeated_creation_leaves_a_changed_batch_alone() -> None:
    """The original data identify the batch. So the repeated command is not refused, and it changes nothing."""
    shop = Shop(CreateBatch("b1", "S", 10), ChangeBatchQuantity("b1", 7), ChangeBatchEta("b1", SOON))
    shop.handle(CreateBatch("b1", "S", 10))
    assert shop.available() == {"b1": 7}


def test_later_eta_affects_only_lines_that_arrive_after_it() -> None:
    shop = Shop(CreateBatch("b1", "S", 10, SOON), CreateBatch("b2", "S", 10, LATER), Allocate("o1", "S", 1))
    shop.handle(ChangeBatchEta("b1", date(2027, 6, 1)), Allocate("o2", "S", 1))
    assert shop.lines() == {"o1": ("allocated", "b1"), "o2": ("allocated", "b2")}
    shop.handle(ChangeBatchEta("b1", None), Allocate("o3", "S", 1))
    assert shop.lines()["o3"] == ("allocated", "b1")
