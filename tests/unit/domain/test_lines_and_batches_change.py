"""Lines that are taken back, batches that grow, and dates that move."""

from datetime import date

import pytest

from allocation.domain.commands import Allocate, ChangeBatchEta, ChangeBatchQuantity, Command, CreateBatch, Deallocate
from allocation.domain.errors import Refusal, UnknownBatch, UnknownLine
from tests.support.shop import Shop

SOON, LATER = date(2027, 1, 15), date(2027, 3, 1)


def test_a_line_that_is_taken_back_frees_its_batch() -> None:
    # W15
    shop = Shop(CreateBatch("b1", "S", 10), Allocate("o1", "S", 10), Deallocate("o1", "S"))
    assert shop.lines() == {"o1": ("deallocated", None)}
    assert shop.room() == {"b1": 10}
    assert shop.store.log[-1]["type"] == "Deallocated"
    assert shop.store.log[-1]["available"] == 10


def test_what_is_freed_goes_to_the_line_that_waited_longest() -> None:
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


def test_a_waiting_line_that_is_taken_back_leaves_the_queue() -> None:
    shop = Shop(CreateBatch("b1", "S", 1), Allocate("o1", "S", 5), Allocate("o2", "S", 5), Deallocate("o1", "S"))
    assert shop.store.log[-1]["waiting"] == {"lines": 1, "units": 5}
    shop.handle(CreateBatch("b2", "S", 5))
    assert shop.lines() == {"o1": ("deallocated", None), "o2": ("allocated", "b2")}


def test_a_line_taken_back_twice_is_taken_back_once() -> None:
    shop = Shop(CreateBatch("b1", "S", 10), Allocate("o1", "S", 4), Deallocate("o1", "S"), Deallocate("o1", "S"))
    assert shop.room() == {"b1": 10}
    assert shop.types().count("Deallocated") == 1


def test_a_line_that_was_taken_back_may_come_again_with_any_quantity_at_the_end_of_the_queue() -> None:
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
def test_what_is_not_known_is_refused_and_changes_nothing(
    command: Command, refusal: type[Refusal], message: str
) -> None:
    # W20, W41
    shop = Shop(CreateBatch("b1", "S", 10), Allocate("o1", "S", 4))
    with pytest.raises(refusal, match=message):
        shop.handle(command)
    assert shop.types() == ["BatchCreated", "Allocated"]


def test_a_batch_that_grows_gives_to_waiting_lines() -> None:
    shop = Shop(CreateBatch("b1", "S", 10), Allocate("o1", "S", 12), ChangeBatchQuantity("b1", 15))
    assert shop.lines() == {"o1": ("allocated", "b1")}
    assert shop.room() == {"b1": 3}
    assert shop.types()[-2:] == ["BatchQuantityChanged", "Allocated"]


def test_a_used_up_batch_may_grow_and_shrink() -> None:
    shop = Shop(CreateBatch("b1", "S", 10), Allocate("o1", "S", 10), ChangeBatchQuantity("b1", 12))
    assert shop.room() == {"b1": 2}
    shop.handle(ChangeBatchQuantity("b1", 0), ChangeBatchQuantity("b1", 10))
    assert shop.lines() == {"o1": ("allocated", "b1")}


def test_the_same_change_twice_is_one() -> None:
    shop = Shop(CreateBatch("b1", "S", 10))
    shop.handle(*[ChangeBatchQuantity("b1", 7)] * 2, *[ChangeBatchEta("b1", SOON)] * 2)
    assert shop.types() == ["BatchCreated", "BatchQuantityChanged", "BatchEtaChanged"]


def test_a_batch_is_still_the_one_that_was_created_after_it_has_changed() -> None:
    shop = Shop(CreateBatch("b1", "S", 10), ChangeBatchQuantity("b1", 7), ChangeBatchEta("b1", SOON))
    shop.handle(CreateBatch("b1", "S", 10))
    assert shop.room() == {"b1": 7}


def test_a_later_date_moves_no_line_and_the_next_lines_go_elsewhere() -> None:
    shop = Shop(CreateBatch("b1", "S", 10, SOON), CreateBatch("b2", "S", 10, LATER), Allocate("o1", "S", 1))
    shop.handle(ChangeBatchEta("b1", date(2027, 6, 1)), Allocate("o2", "S", 1))
    assert shop.lines() == {"o1": ("allocated", "b1"), "o2": ("allocated", "b2")}
    shop.handle(ChangeBatchEta("b1", None), Allocate("o3", "S", 1))
    assert shop.lines()["o3"] == ("allocated", "b1")
