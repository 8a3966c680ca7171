"""The stock of a product raises a named error for a batch that it does not hold."""

import pytest

from allocation.domain.model import Batch, OrderLine, TrackedLine
from allocation.domain.stock import NoSuchBatch, Stock


def test_stock_returns_a_batch_by_its_reference_and_by_its_line() -> None:
    batch = Batch.create("b1", "S", 10, None)
    stock = Stock([Batch.create("b2", "S", 10, None), batch])
    line = TrackedLine(OrderLine("o1", "S", 4), arrived=1)
    batch.allocate(line)
    assert stock.batch("b1") is batch
    assert stock.batch_of(line) is batch


def test_stock_raises_when_it_does_not_hold_the_batch() -> None:
    with pytest.raises(NoSuchBatch, match="does not hold batch b9"):
        Stock([Batch.create("b1", "S", 10, None)]).batch("b9")


def test_stock_raises_when_the_line_has_no_batch() -> None:
    with pytest.raises(NoSuchBatch, match="Order o1's line of S has no batch"):
        Stock([]).batch_of(TrackedLine(OrderLine("o1", "S", 4), arrived=1))
