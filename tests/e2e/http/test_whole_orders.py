"""Orders as a whole, shipping, reasons and previews, as a client meets them."""

from typing import Any

import pytest

from tests.support.api import Api

PROBLEM = "application/problem+json"


def order(orderid: str, **lines: int) -> dict[str, Any]:
    return {"orderid": orderid, "lines": [{"sku": sku, "qty": qty} for sku, qty in lines.items()]}


def test_an_order_is_allocated_line_by_line(shared_api: Api) -> None:
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


def test_an_order_is_allocated_whole_or_not_at_all(shared_api: Api) -> None:
    shared_api.add_batch("won-1", "WON1", 10)
    shared_api.add_batch("won-2", "WON2", 1)
    wanted = order("won", WON1=3, WON2=2, WON3=1) | {"all_or_nothing": True}
    answer = shared_api.post("allocate_order", wanted)
    assert (answer.status, answer.content_type) == (409, PROBLEM)
    assert answer.json["lines"] == [
        {"sku": "WON2", "qty": 2, "message": "No batch has 2 left"},
        {"sku": "WON3", "qty": 1, "message": "Invalid sku WON3"},
    ]
    assert "2 of WON2: No batch has 2 left; 1 of WON3: Invalid sku WON3" in answer.json["message"]
    assert shared_api.get("orders", "won").status == 404
    assert shared_api.get("products", "WON1").json["available"] == 10


def test_a_cancelled_order_gives_back_all_it_had(shared_api: Api) -> None:
    shared_api.add_batch("c-1", "C1", 10)
    shared_api.add_batch("c-2", "C2", 10)
    shared_api.post("allocate_order", order("c", C1=10, C2=10))
    shared_api.allocate("c-waits", "C1", 4)
    for _ in range(2):
        assert shared_api.post("cancel_order", {"orderid": "c"}).status == 202
        assert shared_api.allocations("c").status == 404
        assert {line["status"] for line in shared_api.get("orders", "c").json["lines"]} == {"deallocated"}
        assert shared_api.allocations("c-waits").json == [{"sku": "C1", "batchref": "c-1"}]


def test_a_line_that_was_shipped(shared_api: Api) -> None:
    shared_api.add_batch("sh-1", "SH", 10)
    shared_api.allocate("sh", "SH", 6)
    for _ in range(2):
        assert shared_api.post("ship", {"orderid": "sh", "sku": "SH"}).status == 202
        assert shared_api.get("orders", "sh").json["lines"][0]["status"] == "shipped"
    assert shared_api.allocations("sh").json == [{"sku": "SH", "batchref": "sh-1"}]
    batch = {"ref": "sh-1", "sku": "SH", "qty": 10, "allocated": 6, "available": 4, "eta": None}
    assert shared_api.get("batches", "sh-1").json == batch
    for route, body in [
        ("deallocate", {"orderid": "sh", "sku": "SH"}),
        ("cancel_order", {"orderid": "sh"}),
        ("change_line_quantity", {"orderid": "sh", "sku": "SH", "qty": 1}),
        ("change_batch_quantity", {"ref": "sh-1", "qty": 5}),
    ]:
        answer = shared_api.post(route, body)
        assert (answer.status, answer.content_type) == (409, PROBLEM), route
        assert "shipped" in answer.json["message"]


def test_a_line_that_gets_another_quantity(shared_api: Api) -> None:
    shared_api.add_batch("lq-1", "LQ", 10)
    shared_api.add_batch("lq-2", "LQ", 20, "2027-01-15")
    shared_api.allocate("lq", "LQ", 5)
    for qty, status, batchref in [
        (10, "allocated", "lq-1"),
        (10, "allocated", "lq-1"),
        (11, "allocated", "lq-2"),
        (21, "waiting", None),
        (2, "allocated", "lq-1"),
    ]:
        assert shared_api.post("change_line_quantity", {"orderid": "lq", "sku": "LQ", "qty": qty}).status == 202
        [line] = shared_api.get("orders", "lq").json["lines"]
        assert (line["qty"], line["status"], line["batchref"]) == (qty, status, batchref)


@pytest.mark.parametrize(
    ("route", "body", "status", "message"),
    [
        ("cancel_order", {"orderid": "never"}, 404, "There is no order never"),
        ("ship", {"orderid": "never", "sku": "S"}, 404, "Order never has no line of S"),
        ("change_line_quantity", {"orderid": "never", "sku": "S", "qty": 1}, 404, "Order never has no line of S"),
        ("allocate_order", order("o", S=0), 400, "lines.0.qty must be a whole number from 1"),
        ("allocate_order", {"orderid": "o", "lines": []}, 400, "lines must have at least one line"),
        ("allocate_order", {"orderid": "o", "lines": {}}, 400, "lines must be a list of lines"),
        ("allocate_order", {"orderid": "o", "lines": ["S"]}, 400, "lines.0 must be a JSON object"),
        ("allocate_order", {"orderid": "o", "lines": [{"sku": "S"}]}, 400, "lines.0.qty is missing"),
        (
            "allocate_order",
            {"orderid": "o", "lines": [{"sku": "S", "qty": 1}] * 2},
            400,
            "lines must have each sku once: 'S' occurs twice",
        ),
        (
            "allocate_order",
            {"orderid": "o", "lines": [{"sku": f"S{n}", "qty": 1} for n in range(1_001)]},
            400,
            "lines must have at most 1000 lines",
        ),
        ("allocate_order", order("o", S=1) | {"all_or_nothing": "yes"}, 400, "all_or_nothing must be true or false"),
        ("ship", {"sku": "S"}, 400, "orderid is missing"),
    ],
)
def test_what_can_not_be_done_is_answered_with_the_reason(
    shared_api: Api, route: str, body: dict[str, Any], status: int, message: str
) -> None:
    for path in (route, f"preview/{route}"):
        answer = shared_api.post(path, body)
        assert (answer.status, answer.content_type) == (status, PROBLEM)
        assert message in answer.json["message"]


def test_an_order_explains_why(shared_api: Api) -> None:
    shared_api.add_batch("why-1", "WHY", 3)
    shared_api.add_batch("why-2", "WHY", 5, "2027-01-15")
    shared_api.allocate("why-first", "WHY", 1)
    shared_api.allocate("why-later", "WHY", 4)
    shared_api.allocate("why-waits", "WHY", 9)
    first, second = {"ref": "why-1", "eta": None, "available": 2}, {"ref": "why-2", "eta": "2027-01-15", "available": 1}
    assert [explained(shared_api, name) for name in ("why-first", "why-later", "why-waits")] == [
        None,
        [first],
        [first, second],
    ]
    assert "why" not in shared_api.get("orders", "why-later").json["lines"][0]
    assert "why" not in shared_api.request("GET", "/orders/why-later?explain=0").json["lines"][0]
    answer = shared_api.request("GET", "/orders/why-later?explain=yes")
    assert (answer.status, answer.json["message"]) == (400, "explain must be 0 or 1, not 'yes'")


def explained(api: Api, orderid: str) -> Any:
    return api.request("GET", f"/orders/{orderid}?explain=1").json["lines"][0]["why"]


def test_a_preview_says_what_would_be_and_does_nothing(shared_api: Api) -> None:
    shared_api.add_batch("pre-1", "PRE", 3)
    shared_api.add_batch("pre-2", "PRE", 5, "2027-01-15")
    shared_api.allocate("pre-has-it", "PRE", 3)
    answer = shared_api.post("preview/change_batch_quantity", {"ref": "pre-1", "qty": 2})
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.json == {
        "answer": "OK",
        "lines": [
            {
                "orderid": "pre-has-it",
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
    assert shared_api.allocations("pre-has-it").json == [{"sku": "PRE", "batchref": "pre-1"}]
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
