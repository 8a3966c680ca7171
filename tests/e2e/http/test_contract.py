"""The contract of the routes, against a real service: web worker, relay, PostgreSQL and Redis."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.services import web

PROBLEM = "application/problem+json"


def test_the_happy_path_two_hundred_times(shared_api: Api) -> None:
    """A client that has its 202 sees the effect in its next query."""
    for n in range(200):
        sku, other, order = f"SKU-{n}", f"OTHER-{n}", f"order-{n}"
        shared_api.add_batch(f"later-{n}", sku, 100, "2027-03-01")
        shared_api.add_batch(f"earlier-{n}", sku, 100, "2027-01-15")
        shared_api.add_batch(f"other-{n}", other, 100)
        assert shared_api.allocate(order, sku, 3).status == 202
        answer = shared_api.allocations(order)
        assert (answer.status, answer.json) == (200, [{"sku": sku, "batchref": f"earlier-{n}"}])


def test_success_bodies(api: Api) -> None:
    added, allocated = api.add_batch("b1", "S", 10), api.allocate("o1", "S", 3)
    assert (added.status, added.body, allocated.status, allocated.body) == (201, "OK", 202, "OK")


def test_an_unknown_sku(api: Api) -> None:
    answer = api.allocate("o1", "X", 3)
    assert (answer.status, answer.content_type) == (400, PROBLEM)
    assert answer.json["message"] == answer.json["detail"] == "Invalid sku X"
    assert api.allocations("o1").status == 404
    assert api.get("orders", "o1").status == 404


def test_commands_sent_twice_have_one_effect_and_the_same_answer(api: Api) -> None:
    # W5, W6, W9, W23
    assert [api.add_batch("b1", "S", 10).status for _ in range(2)] == [201, 201]
    assert [api.allocate("o1", "S", 10).status for _ in range(2)] == [202, 202]
    api.add_batch("b2", "S", 10)
    assert api.allocate("o1", "S", 10).status == 202
    assert api.get("products", "S").json["available"] == 10
    assert api.allocations("o1").json == [{"sku": "S", "batchref": "b1"}]


@pytest.mark.parametrize(
    ("ref", "sku", "qty", "eta"),
    [("b1", "S", 11, "2027-01-15"), ("b1", "S", 10, None), ("b1", "T", 10, "2027-01-15")],
)
def test_a_batch_created_with_other_data_is_refused(api: Api, ref: str, sku: str, qty: int, eta: str | None) -> None:
    api.add_batch("b1", "S", 10, "2027-01-15")
    answer = api.add_batch(ref, sku, qty, eta)
    assert (answer.status, answer.content_type) == (409, PROBLEM)
    assert "b1" in answer.json["message"]
    assert api.get("products", "T").status == 404


def test_a_line_with_another_quantity_is_refused(api: Api) -> None:
    # W7
    api.add_batch("b1", "S", 10)
    api.allocate("o1", "S", 3)
    assert api.allocate("o1", "S", 4).status == 409
    assert api.get("batches", "b1").json["allocated"] == 3


def test_a_line_that_waits_is_told_from_an_order_that_never_was(api: Api) -> None:
    # W26
    api.add_batch("b1", "S", 10)
    assert api.allocate("o1", "S", 30).status == 202
    assert api.allocations("o1").status == 404
    [line] = api.get("orders", "o1").json["lines"]
    assert line == {"sku": "S", "qty": 30, "status": "waiting", "batchref": None, "eta": None, "version": 2}
    assert api.get("products", "S").json["waiting"] == {"lines": 1, "units": 30}


def test_waiting_lines_get_new_stock(api: Api) -> None:
    # W11
    api.add_batch("b1", "S", 10)
    api.allocate("o1", "S", 30)
    api.add_batch("b2", "S", 30, "2027-01-15")
    [line] = api.get("orders", "o1").json["lines"]
    assert (line["status"], line["batchref"], line["eta"]) == ("allocated", "b2", "2027-01-15")
    assert api.allocations("o1").json == [{"sku": "S", "batchref": "b2"}]


def test_a_line_that_is_taken_back(shared_api: Api) -> None:
    # W15, W25
    shared_api.add_batch("tb-1", "TB", 10)
    shared_api.allocate("tb", "TB", 10)
    shared_api.allocate("tb-waits", "TB", 10)
    for _ in range(2):
        answer = shared_api.post("deallocate", {"orderid": "tb", "sku": "TB"})
        assert (answer.status, answer.body) == (202, "OK")
        assert shared_api.allocations("tb").status == 404
        [line] = shared_api.get("orders", "tb").json["lines"]
        assert (line["status"], line["batchref"], line["eta"]) == ("deallocated", None, None)
        assert shared_api.allocations("tb-waits").json == [{"sku": "TB", "batchref": "tb-1"}]


def test_a_batch_that_shrinks_and_grows(shared_api: Api) -> None:
    # W11, W13
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
    assert shared_api.add_batch("sg-1", "SG", 10).status == 201, "it was created with 10"


def test_a_batch_that_comes_later(shared_api: Api) -> None:
    shared_api.add_batch("eta-1", "ETA", 10, "2027-01-15")
    shared_api.allocate("eta", "ETA", 1)
    for eta in ("2027-02-01", "2027-02-01", None):
        assert shared_api.post("change_batch_eta", {"ref": "eta-1", "eta": eta}).status == 202
        assert shared_api.get("orders", "eta").json["lines"][0]["eta"] == eta
        assert shared_api.get("batches", "eta-1").json["eta"] == eta
        assert shared_api.get("products", "ETA").json["batches"][0]["eta"] == eta


@pytest.mark.parametrize(
    ("route", "body", "message"),
    [
        ("deallocate", {"orderid": "never", "sku": "S"}, "Order never has no line of S"),
        ("change_batch_quantity", {"ref": "never", "qty": 1}, "There is no batch never"),
        ("change_batch_quantity", {"batchref": "never", "qty": 1}, "There is no batch never"),
        ("change_batch_eta", {"ref": "never", "eta": None}, "There is no batch never"),
    ],
)
def test_what_is_not_known_is_a_404(shared_api: Api, route: str, body: dict[str, Any], message: str) -> None:
    # W20: no AttributeError
    answer = shared_api.post(route, body)
    assert (answer.status, answer.content_type, answer.json["message"]) == (404, PROBLEM, message)


def test_the_views(api: Api) -> None:
    api.add_batch("wh", "S", 5)
    api.add_batch("late", "S", 9, "2027-03-01")
    api.add_batch("soon", "S", 7, "2027-01-15")
    api.add_batch("t", "T", 1)
    api.allocate("o1", "S", 5)
    api.allocate("o1", "T", 1)
    assert api.get("orders", "o1").json == {
        "orderid": "o1",
        "lines": [
            {"sku": "S", "qty": 5, "status": "allocated", "batchref": "wh", "eta": None, "version": 4},
            {"sku": "T", "qty": 1, "status": "allocated", "batchref": "t", "eta": None, "version": 2},
        ],
    }
    assert api.get("products", "S").json == {
        "sku": "S",
        "available": 16,
        "waiting": {"lines": 0, "units": 0},
        "batches": [
            {"ref": "soon", "qty": 7, "allocated": 0, "eta": "2027-01-15", "available": 7},
            {"ref": "late", "qty": 9, "allocated": 0, "eta": "2027-03-01", "available": 9},
        ],
        "version": 4,
    }
    batch = {"ref": "wh", "sku": "S", "qty": 5, "allocated": 5, "eta": None, "available": 0}
    assert api.get("batches", "wh").json == batch
    assert api.get("batches", "never").status == 404


@pytest.mark.parametrize(
    "name", ["a b", "a/b", "/a//b/", "{17}:order:o", "a,b", "椅子 🪑", "%2F", "a?b#c", "..", "a\nb", "'\"\\;"]
)
def test_identifiers_are_opaque(shared_api: Api, name: str) -> None:
    assert shared_api.add_batch(name, name, 10).status == 201
    assert shared_api.allocate(name, name, 3).status == 202
    assert shared_api.allocations(name).json == [{"sku": name, "batchref": name}]
    assert shared_api.get("orders", name).json["orderid"] == name
    assert shared_api.get("products", name).json["available"] == 7
    assert shared_api.get("batches", name).json["ref"] == name


@pytest.mark.parametrize(
    ("body", "named"),
    [
        # W27: each of these was a 500
        ({"orderid": "o1", "sku": "S"}, "qty is missing"),
        ({"orderid": "o1", "sku": "S", "qty": None}, "qty must be a whole number"),
        ({"orderid": "o1", "sku": "S", "qty": "3"}, "qty must be a whole number"),
        ({"orderid": "o1", "sku": "S", "qty": 2**31}, "qty must be a whole number"),
        ({"orderid": {}, "sku": "S", "qty": 3}, "orderid must be a string"),
        ({"orderid": "o1", "sku": None, "qty": 3}, "sku must be a string"),
        ({"orderid": "o1", "sku": "x" * 256, "qty": 3}, "sku must be a string of 1 to 255"),
        ({"orderid": "o1", "sku": "a\0", "qty": 3}, "sku must not contain a NUL"),
        ([], "body must be a JSON object"),
        (b"{", "body"),
        (b'{"orderid": "\xff", "sku": "S", "qty": 1}', "body"),
        (b'{"orderid": "\\ud800", "sku": "S", "qty": 1}', "body"),
    ],
)
def test_bad_bodies_are_answered_with_what_is_wrong(shared_api: Api, body: Any, named: str) -> None:
    answer = shared_api.post("allocate", body)
    assert (answer.status, answer.content_type) == (400, PROBLEM)
    assert named in answer.json["message"]
    assert shared_api.get("health", "live").status == 200


def test_a_bad_eta_is_a_400_and_a_missing_one_is_none(shared_api: Api) -> None:
    assert (
        "eta must be a date"
        in shared_api.post("add_batch", {"ref": "b", "sku": "S", "qty": 1, "eta": "x"}).json["message"]
    )
    assert shared_api.post("add_batch", {"ref": "b", "sku": "S", "qty": 1}).status == 201


def test_errors_of_http_are_problems_too(shared_api: Api) -> None:
    # W28
    body = b'{"orderid": "o1", "sku": "NEVER", "qty": 1}'
    assert shared_api.request("POST", "/allocate", body).status == 415
    assert shared_api.post("allocate", body, content_type="text/plain").status == 415
    assert shared_api.post("allocate", body, content_type="application/json; charset=utf-8").status == 400
    assert shared_api.post("allocate", b" " * 1_000_001).status == 413
    assert shared_api.post("allocate", chunks(b" " * 1_000_001)).status == 413
    assert shared_api.post("allocate", chunks(body)).json["message"] == "Invalid sku NEVER"
    assert shared_api.get("nowhere").status == 404
    assert shared_api.post("nowhere", body).status == 404
    wrong_method = shared_api.request("GET", "/allocate")
    assert (wrong_method.status, wrong_method.content_type) == (405, PROBLEM)
    assert "POST" in wrong_method.headers["allow"]


def chunks(body: bytes) -> Iterator[bytes]:
    """A body that is sent in chunks, without its length."""
    for start in range(0, len(body), 100_000):
        yield body[start : start + 100_000]


def test_queries_are_served_by_a_process_that_has_no_database(api: Api, redis_url: str) -> None:
    api.add_batch("b1", "S", 10)
    api.allocate("o1", "S", 3)
    with web({"REDIS_URL": redis_url}, "queries") as port:
        alone = Api(port)
        assert alone.allocations("o1").json == [{"sku": "S", "batchref": "b1"}]
        assert alone.get("orders", "o1").json == api.get("orders", "o1").json
        assert alone.get("products", "S").json["available"] == 7
        assert alone.allocate("o2", "S", 1).status == 404, "it takes no commands"
        assert alone.get("health", "ready").json == {"status": "ready", "roles": {"queries": "ready"}}
        alone.connection.close()
