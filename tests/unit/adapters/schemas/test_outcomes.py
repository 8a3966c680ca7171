"""Every outcome is the same after it was stored as JSON and read again."""

import json
from datetime import date

import pytest

from allocation.adapters.schemas.outcomes import from_json, to_json
from allocation.domain import errors
from allocation.domain.errors import Refusal
from allocation.domain.model import OrderLine
from allocation.service_layer.outcomes import Done, LineResult, OrderResult
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
    errors.OrderShort("o1", [errors.ShortLine(OrderLine("o1", "S", 1), "none")]),
    errors.BatchConflict("b1"),
    errors.BatchShipped("b1", 1, 2),
]


def test_this_module_tests_every_refusal() -> None:
    assert {type(refusal) for refusal in REFUSALS} == set(Refusal.__subclasses__())


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_stored_refusal_equals_the_original(refusal: Refusal) -> None:
    stored = from_json(json.loads(to_json(refusal)))
    assert (type(stored), str(stored), vars(stored)) == (type(refusal), str(refusal), vars(refusal))


ORDER = OrderResult(
    "o1",
    [
        LineResult(OrderLine("o1", "S", 3), "allocated", "b1", date(2027, 1, 15)),
        LineResult(OrderLine("o1", "T", 3), "waiting"),
        LineResult(OrderLine("o1", "X", 3), "refused", reason="Invalid sku X"),
    ],
)


@pytest.mark.parametrize("done", [Done(), Done(ORDER)], ids=["no result", "an order"])
def test_stored_result_equals_the_original(done: Done) -> None:
    assert from_json(json.loads(to_json(done))) == done


def test_unknown_refusal_raises_store_unavailable() -> None:
    """During a deployment, this process may read the outcomes of a newer one. The client must try again."""
    with pytest.raises(StoreUnavailable, match="A newer version of the service stored this outcome: Unheard"):
        from_json({"refusal": "Unheard", "members": {}})
