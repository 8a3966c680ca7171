"""Waiting lines get stock, and displaced lines wait, by the same rules in every store."""

from functools import partial

import pytest

from allocation.adapters.postgres import repository
from allocation.domain.commands import Allocate, CreateBatch
from allocation.domain.model import Batch, OrderLine
from tests.model.shrink_cases import CASES, Case, outcome
from tests.support.adapters.locks import LOCKS
from tests.support.service_layer.subjects import Subject, every_store, stores_that_keep_waiting_lines

cases = partial(pytest.mark.parametrize, "case", ids=lambda case: case.reason.replace(" ", "-"))


@stores_that_keep_waiting_lines
def test_waiting_list_sees_changes_of_its_own_unit_of_work(subject: Subject) -> None:
    """A line that got the first batch must not get the second one too."""
    subject.commit(CreateBatch("b0", "S", 1), Allocate("o1", "S", 5), Allocate("o2", "S", 5))
    with subject.begin(LOCKS) as uow:
        product = uow.products.get("S")
        assert product is not None
        product.add_batch(Batch.create("b1", "S", 5, None))
        product.add_batch(Batch.create("b2", "S", 5, None))
        uow.commit()
    with subject.begin(LOCKS) as uow:
        product = uow.products.get("S")
        assert product is not None
        assert {line.orderid: line.batchref for line in product.lines.values()} == {"o1": "b1", "o2": "b2"}
        assert product.totals.waiting_lines == 0


@every_store
def test_line_waits_and_gets_a_batch_in_one_unit_of_work(subject: Subject) -> None:
    with subject.begin(LOCKS) as uow:
        product = uow.products.get_or_create("S")
        product.add_batch(Batch.create("b0", "S", 1, None))
        product.allocate(OrderLine("o1", "S", 5))
        product.allocate(OrderLine("o2", "S", 4))
        product.add_batch(Batch.create("b1", "S", 5, None))
        product.add_batch(Batch.create("b2", "S", 5, None))
        uow.commit()
    with subject.begin(LOCKS) as uow:
        found = uow.products.get("S")
        assert found is not None
        assert {line.orderid: line.batchref for line in found.lines.values()} == {"o1": "b1", "o2": "b2"}
        assert found.totals.waiting_lines == 0


@cases(CASES)
@stores_that_keep_waiting_lines
def test_shrinking_batch_displaces_lines_by_one_rule(
    case: Case, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule is an order of the lines, so the choice depends neither on the store nor on the process."""
    monkeypatch.setattr(repository, "LINES_PAGE", 1)
    assert outcome(case, subject.begin)[0] == case.expected


@cases([case for case in CASES if not any(isinstance(command, Allocate) for command in case.more)])
@every_store
def test_every_store_displaces_lines_by_one_rule(case: Case, subject: Subject) -> None:
    """The CSV store keeps no waiting lines, so these cases have no line that waits before the batch shrinks."""
    assert outcome(case, subject.begin)[0] == case.expected
