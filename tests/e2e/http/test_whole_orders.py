"""The commands for whole orders."""

from typing import Any

from tests.support.api import Api
from tests.support.e2e.media_types import PROBLEM


def order(orderid: str, **lines: int) -> dict[str, Any]:
    """Return the body of `allocate_order`. `lines` maps SKUs to quantities."""
    return {"orderid": orderid, "lines": [{"sku": sku, "qty": qty} for sku, qty in lines.items()]}


def test_allocate_order_allocates_each_line_independently(shared_api: Api) -> None:
    shared_api.add_batch("lbl-1", "LBL1", 10, "2027-01-15")
    shared_api.add_batch("lbl-2", "LBL2", 1)
    for _ in range(2):
        answer = shared_api.post("allocate_order", order("lbl", LBL1=3, LBL2=2, LBL3=1))
        assert (answer.status, answer.content_type) == (202, "application/json")
        assert answer.json == {
            "orderid": "lbl",
            "lines": [
                {"sku": "LBL1", "qty": 3, "status": "allocated", "batchref": "lbl-1", "eta": "2027-01-15"},
                {"sku": "LBL2", "qty": 2, "status": "waiting", "batchref": None, "eta": None},
                {
                    "sku": "LBL3",
                    "qty": 1,
                    "status": "refused",
                    "batchref": None,
                    "eta": None,
                    "message": "Invalid sku LBL3",
                },
            ],
        }
        assert [line["status"] for line in shared_api.get("orders", "lbl").json["lines"]] == ["allocated", "waiting"]


def test_allocate_order_with_all_or_nothing_names_short_lines(shared_api: Api) -> None:
    shared_api.add_batch("aon-1", "AON1", 10)
    shared_api.add_batch("aon-2", "AON2", 1)
    wanted = order("aon", AON1=3, AON2=2, AON3=1) | {"all_or_nothing": True}
    answer = shared_api.post("allocate_order", wanted)
    assert (answer.status, answer.content_type) == (409, PROBLEM)
    assert answer.json["lines"] == [
        {"sku": "AON2", "qty": 2, "message": "No batch has 2 left"},
        {"sku": "AON3", "qty": 1, "message": "Invalid sku AON3"},
    ]
    assert "2 of AON2: No batch has 2 left; 1 of AON3: Invalid sku AON3" in answer.json["message"]
    assert shared_api.get("orders", "aon").status == 404
    assert shared_api.get("products", "AON1").json["available"] == 10


def test_cancel_order_frees_the_stock_of_every_line(shared_api: Api) -> None:
    shared_api.add_batch("c-1", "C1", 10)
    shared_api.add_batch("c-2", "C2", 10)
    shared_api.post("allocate_order", order("c", C1=10, C2=10))
    shared_api.allocate("c-waits", "C1", 4)
    for _ in range(2):
        assert shared_api.post("cancel_order", {"orderid": "c"}).status == 202
        assert shared_api.allocations("c").status == 404
        assert {line["status"] for line in shared_api.get("orders", "c").json["lines"]} == {"deallocated"}
        assert shared_api.allocations("c-waits").json == [{"sku": "C1", "batchref": "c-1"}]


def test_a_preview_shows_the_effect_without_causing_it(shared_api: Api) -> None:
    shared_api.add_batch("pre-1", "PRE", 3)
    shared_api.add_batch("pre-2", "PRE", 5, "2027-01-15")
    shared_api.allocate("pre-line", "PRE", 3)
    answer = shared_api.post("preview/change_batch_quantity", {"ref": "pre-1", "qty": 2})
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.json == {
        "answer": "OK",
        "lines": [
            {
                "orderid": "pre-line",
                "sku": "PRE",
                "qty": 3,
                "status": "allocated",
                "batchref": "pre-2",
                "eta": "2027-01-15",
                "lost": "pre-1",
                "why": [{"ref": "pre-1", "eta": None, "available": 2}],
            }
        ],
        "batches": [
            {"ref": "pre-1", "sku": "PRE", "qty": 2, "allocated": 0, "available": 2, "eta": None},
            {"ref": "pre-2", "sku": "PRE", "qty": 5, "allocated": 3, "available": 2, "eta": "2027-01-15"},
        ],
    }
    assert shared_api.allocations("pre-line").json == [{"sku": "PRE", "batchref": "pre-1"}]
    assert shared_api.post("preview/allocate_order", order("pre", PRE=5, NEVER=1)).json["answer"] == {
        "orderid": "pre",
        "lines": [
            {"sku": "PRE", "qty": 5, "status": "allocated", "batchref": "pre-2", "eta": "2027-01-15"},
            {
                "sku": "NEVER",
                "qty": 1,
                "status": "refused",
                "batchref": None,
                "eta": None,
                "message": "Invalid sku NEVER",
            },
        ],
    }
    assert shared_api.post("preview/add_batch", {"ref": "new", "sku": "NEW", "qty": 1}).status == 200
    assert shared_api.get("orders", "pre").status == 404
    assert shared_api.get("products", "NEW").status == 404
