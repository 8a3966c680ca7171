"""Outcomes survive being stored, whatever they are."""

import json

import pytest

from allocation.adapters.postgres.idempotency import as_json, from_json
from allocation.domain import errors
from allocation.domain.errors import Refusal
from allocation.service_layer.idempotency import Done
from allocation.service_layer.unit_of_work import StoreUnavailable

REFUSALS = [
    errors.UnknownSku("椅子"),
    errors.UnknownLine("o1", "S"),
    errors.UnknownOrder("o1"),
    errors.UnknownBatch("b1"),
    errors.LineConflict("o1", "S", 1, 2),
    errors.LineShipped("o1", "S"),
    errors.LineDeallocated("o1", "S"),
    errors.LineNotAllocated("o1", "S", "waiting"),
    errors.OrderShipped("o1", ["S", "T"]),
    errors.OrderShort("o1", [{"sku": "S", "qty": 1, "message": "none"}]),
    errors.BatchConflict("b1"),
    errors.BatchShipped("b1", 1, 2),
]


def test_every_refusal_is_tried() -> None:
    assert {type(refusal) for refusal in REFUSALS} == set(Refusal.__subclasses__())


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_a_refusal_is_the_same_afterwards(refusal: Refusal) -> None:
    stored = from_json(json.loads(as_json(refusal)))
    assert (type(stored), str(stored), vars(stored)) == (type(refusal), str(refusal), vars(refusal))


@pytest.mark.parametrize("done", [Done(), Done({"orderid": "o1", "lines": []})])
def test_an_answer_is_the_same_afterwards(done: Done) -> None:
    assert from_json(json.loads(as_json(done))) == done


def test_what_only_a_newer_process_knows_is_left_to_it() -> None:
    with pytest.raises(StoreUnavailable, match="A newer process has to answer: it stored Unheard"):
        from_json({"refusal": "Unheard", "members": {}})
