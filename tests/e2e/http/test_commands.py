"""The commands for single lines and batches, and their effects in the views."""

from typing import Any

import pytest

from tests.support.api import Api
from tests.support.e2e.media_types import PROBLEM


@pytest.mark.slow
def test_a_query_shows_the_effect_of_a_command_after_its_202(shared_api: Api) -> None:
    """Allocate 200 lines, each to the batch with the earlier ETA, and query each line right after its 202."""
    for n in range(200):
        sku, other, order = f"SKU-{n}", f"OTHER-{n}", f"order-{n}"
        shared_api.add_batch(f"later-{n}", sku, 100, "2027-03-01")
        shared_api.add_batch(f"earlier-{n}", sku, 100, "2027-01-15")
        shared_api.add_batch(f"other-{n}", other, 100)
        assert shared_api.allocate(order, sku, 3).status == 202
        answer = shared_api.allocations(order)
        assert (answer.status, answer.json) == (200, [{"sku": sku, "batchref": f"earlier-{n}"}])


def test_a_successful_command_has_the_body_ok(shared_api: Api) -> None:
    added, allocated = shared_api.add_batch("ok-1", "OK", 10), shared_api.allocate("ok", "OK", 3)
    assert (added.status, added.body, allocated.status, allocated.body) == (201, "OK", 202, "OK")


def test_allocate_refuses_a_sku_that_never_had_a_batch(shared_api: Api) -> None:
    answer = shared_api.allocate("unknown-sku", "X", 3)
    assert (answer.status, answer.content_type) == (400, PROBLEM)
    assert answer.json["message"] == answer.json["detail"] == "Invalid sku X"
    assert shared_api.allocations("unknown-sku").status == 404
    assert shared_api.get("orders", "unknown-sku").status == 404


def test_a_repeated_command_has_one_effect_and_one_answer(shared_api: Api) -> None:
    """A retry creates no second batch, no second allocation and no second row in the views."""
    assert [shared_api.add_batch("re-1", "RE", 10).status for _ in range(2)] == [201, 201]
    assert [shared_api.allocate("re", "RE", 10).status for _ in range(2)] == [202, 202]
    shared_api.add_batch("re-2", "RE", 10)
    assert shared_api.allocate("re", "RE", 10).status == 202, "the first batch is full, the second one is not"
    assert shared_api.get("products", "RE").json["available"] == 10
    assert shared_api.allocations("re").json == [{"sku": "RE", "batchref": "re-1"}]


@pytest.mark.parametrize(
    ("sku", "qty", "eta"),
    [("BC", 11, "2027-01-15"), ("BC", 10, None), ("BC-2", 10, "2027-01-15")],
    ids=["quantity", "eta", "sku"],
)
def test_add_batch_refuses_other_data_for_a_known_batch(shared_api: Api, sku: str, qty: int, eta: str | None) -> None:
    shared_api.add_batch("bc-1", "BC", 10, "2027-01-15")
    answer = shared_api.add_batch("bc-1", sku, qty, eta)
    assert (answer.status, answer.content_type) == (409, PROBLEM)
    assert "bc-1" in answer.json["message"]
    assert shared_api.get("products", "BC-2").status == 404


def test_allocate_refuses_another_quantity_for_a_known_line(shared_api: Api) -> None:
    """An order has at most one line of a SKU, so the second quantity must not become a second line."""
    shared_api.add_batch("aq-1", "AQ", 10)
    shared_api.allocate("aq", "AQ", 3)
    assert shared_api.allocate("aq", "AQ", 4).status == 409
    assert shared_api.get("batches", "aq-1").json["allocated"] == 3


def test_a_waiting_line_differs_from_an_unknown_order(shared_api: Api) -> None:
    """Both get a 404 from /allocations, but /orders shows the waiting line."""
    shared_api.add_batch("wl-1", "WL", 10)
    assert shared_api.allocate("wl", "WL", 30).status == 202
    assert shared_api.allocations("wl").status == 404
    [line] = shared_api.get("orders", "wl").json["lines"]
    assert line == {"sku": "WL", "qty": 30, "status": "waiting", "batchref": None, "eta": None, "version": 2}
    assert shared_api.get("products", "WL").json["waiting"] == {"lines": 1, "units": 30}


def test_a_waiting_line_is_allocated_when_stock_arrives(shared_api: Api) -> None:
    shared_api.add_batch("ws-1", "WS", 10)
    shared_api.allocate("ws", "WS", 30)
    shared_api.add_batch("ws-2", "WS", 30, "2027-01-15")
    [line] = shared_api.get("orders", "ws").json["lines"]
    assert (line["status"], line["batchref"], line["eta"]) == ("allocated", "ws-2", "2027-01-15")
    assert shared_api.allocations("ws").json == [{"sku": "WS", "batchref": "ws-2"}]


def test_deallocate_frees_the_stock_for_a_waiting_line(shared_api: Api) -> None:
    shared_api.add_batch("de-1", "DE", 10)
    shared_api.allocate("de", "DE", 10)
    shared_api.allocate("de-waits", "DE", 10)
    for _ in range(2):
        answer = shared_api.post("deallocate", {"orderid": "de", "sku": "DE"})
        assert (answer.status, answer.body) == (202, "OK")
        assert shared_api.allocations("de").status == 404
        [line] = shared_api.get("orders", "de").json["lines"]
        assert (line["status"], line["batchref"], line["eta"]) == ("deallocated", None, None)
        assert shared_api.allocations("de-waits").json == [{"sku": "DE", "batchref": "de-1"}]


def test_a_displaced_line_waits_until_its_batch_grows(shared_api: Api) -> None:
    shared_api.add_batch("sg-1", "SG", 10)
    shared_api.allocate("sg", "SG", 10)
    for qty, batchref, status in [
        (9, None, "waiting"),
        (9, None, "waiting"),
        (0, None, "waiting"),
        (10, "sg-1", "allocated"),
    ]:
        answer = shared_api.post("change_batch_quantity", {"ref": "sg-1", "qty": qty})
        assert (answer.status, answer.body) == (202, "OK")
        [line] = shared_api.get("orders", "sg").json["lines"]
        assert (line["batchref"], line["status"]) == (batchref, status)
        assert shared_api.get("batches", "sg-1").json["qty"] == qty
    assert shared_api.post("change_batch_quantity", {"batchref": "sg-1", "qty": 25}).status == 202
    assert shared_api.get("products", "SG").json["available"] == 15
    assert shared_api.add_batch("sg-1", "SG", 10).status == 201, "the batch was created with 10 units"


def test_change_batch_eta_changes_the_eta_in_every_view(shared_api: Api) -> None:
    shared_api.add_batch("eta-1", "ETA", 10, "2027-01-15")
    shared_api.allocate("eta", "ETA", 1)
    for eta in ("2027-02-01", "2027-02-01", None):
        assert shared_api.post("change_batch_eta", {"ref": "eta-1", "eta": eta}).status == 202
        assert shared_api.get("orders", "eta").json["lines"][0]["eta"] == eta
        assert shared_api.get("batches", "eta-1").json["eta"] == eta
        assert shared_api.get("products", "ETA").json["batches"][0]["eta"] == eta


def test_ship_fixes_a_line_on_its_batch(shared_api: Api) -> None:
    shared_api.add_batch("sh-1", "SH", 10)
    shared_api.allocate("sh", "SH", 6)
    for _ in range(2):
        assert shared_api.post("ship", {"orderid": "sh", "sku": "SH"}).status == 202
        assert shared_api.get("orders", "sh").json["lines"][0]["status"] == "shipped"
    assert shared_api.allocations("sh").json == [{"sku": "SH", "batchref": "sh-1"}]
    batch = {"ref": "sh-1", "sku": "SH", "qty": 10, "allocated": 6, "available": 4, "eta": None}
    assert shared_api.get("batches", "sh-1").json == batch
    changes: list[tuple[str, dict[str, Any]]] = [
        ("deallocate", {"orderid": "sh", "sku": "SH"}),
        ("cancel_order", {"orderid": "sh"}),
        ("change_line_quantity", {"orderid": "sh", "sku": "SH", "qty": 1}),
        ("change_batch_quantity", {"ref": "sh-1", "qty": 5}),
    ]
    for route, body in changes:
        answer = shared_api.post(route, body)
        assert (answer.status, answer.content_type) == (409, PROBLEM), route
        assert "shipped" in answer.json["message"]


def test_change_line_quantity_moves_the_line_if_necessary(shared_api: Api) -> None:
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


def test_a_command_names_the_view_of_its_effect(shared_api: Api) -> None:
    batch, order = "loc/1 é", "loc?2"
    answers = [
        shared_api.add_batch(batch, "LOC", 10),
        shared_api.allocate(order, "LOC", 3),
        shared_api.post("change_line_quantity", {"orderid": order, "sku": "LOC", "qty": 2}),
        shared_api.post("change_batch_quantity", {"batchref": batch, "qty": 12}),
        shared_api.post("change_batch_eta", {"ref": batch, "eta": "2027-01-01"}),
        shared_api.post("allocate_order", {"orderid": order, "lines": [{"sku": "LOC", "qty": 2}]}),
        shared_api.post("ship", {"orderid": order, "sku": "LOC"}),
    ]
    assert {answer.status for answer in answers} <= {201, 202}
    seen = [shared_api.request("GET", answer.headers["location"]).json for answer in answers]
    assert [view.get("ref") or view["orderid"] for view in seen] == [batch, order, order, batch, batch, order, order]
    assert "location" not in shared_api.post("ship", {"orderid": order, "sku": "NONE"}).headers
