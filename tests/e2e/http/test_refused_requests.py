"""Requests that the service refuses. A client's mistake gets a 4xx with the reason, never a 500."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.e2e.media_types import PROBLEM

LINE = {"sku": "S", "qty": 1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
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
def test_a_bad_body_gets_a_400_that_names_the_bad_member(shared_api: Api, body: Any, reason: str) -> None:
    answer = shared_api.post("allocate", body)
    assert (answer.status, answer.content_type) == (400, PROBLEM)
    assert reason in answer.json["message"]
    assert shared_api.get("health", "live").status == 200


def test_a_bad_eta_gets_a_400_and_a_missing_eta_is_none(shared_api: Api) -> None:
    batch = {"ref": "be-1", "sku": "BE", "qty": 1}
    assert "eta must be a date" in shared_api.post("add_batch", batch | {"eta": "x"}).json["message"]
    assert shared_api.post("add_batch", batch).status == 201
    assert shared_api.get("batches", "be-1").json["eta"] is None


@pytest.mark.parametrize(
    ("route", "body", "message"),
    [
        ("deallocate", {"orderid": "never", "sku": "S"}, "Order never has no line of S"),
        ("change_batch_quantity", {"ref": "never", "qty": 1}, "There is no batch never"),
        ("change_batch_quantity", {"batchref": "never", "qty": 1}, "There is no batch never"),
        ("change_batch_eta", {"ref": "never", "eta": None}, "There is no batch never"),
    ],
)
def test_a_command_for_an_unknown_line_or_batch_gets_a_404(
    shared_api: Api, route: str, body: dict[str, Any], message: str
) -> None:
    answer = shared_api.post(route, body)
    assert (answer.status, answer.content_type, answer.json["message"]) == (404, PROBLEM, message)


@pytest.mark.parametrize(
    ("route", "body", "status", "message"),
    [
        ("cancel_order", {"orderid": "never"}, 404, "There is no order never"),
        ("ship", {"orderid": "never", "sku": "S"}, 404, "Order never has no line of S"),
        ("change_line_quantity", {"orderid": "never", "sku": "S", "qty": 1}, 404, "Order never has no line of S"),
        (
            "allocate_order",
            {"orderid": "o", "lines": [{"sku": "S", "qty": 0}]},
            400,
            "lines.0.qty must be a whole number from 1",
        ),
        ("allocate_order", {"orderid": "o", "lines": []}, 400, "lines must have at least one line"),
        ("allocate_order", {"orderid": "o", "lines": {}}, 400, "lines must be a list of lines"),
        ("allocate_order", {"orderid": "o", "lines": ["S"]}, 400, "lines.0 must be a JSON object"),
        ("allocate_order", {"orderid": "o", "lines": [{"sku": "S"}]}, 400, "lines.0.qty is missing"),
        (
            "allocate_order",
            {"orderid": "o", "lines": [LINE] * 2},
            400,
            "lines must have each sku once: 'S' occurs twice",
        ),
        (
            "allocate_order",
            {"orderid": "o", "lines": [{"sku": f"S{n}", "qty": 1} for n in range(1_001)]},
            400,
            "lines must have at most 1000 lines",
        ),
        (
            "allocate_order",
            {"orderid": "o", "lines": [LINE], "all_or_nothing": "yes"},
            400,
            "all_or_nothing must be true or false",
        ),
        ("ship", {"sku": "S"}, 400, "orderid is missing"),
    ],
)
def test_a_command_and_its_preview_are_refused_alike(
    shared_api: Api, route: str, body: dict[str, Any], status: int, message: str
) -> None:
    for path in (route, f"preview/{route}"):
        answer = shared_api.post(path, body)
        assert (answer.status, answer.content_type) == (status, PROBLEM)
        assert message in answer.json["message"]


def test_an_http_error_is_a_problem(shared_api: Api) -> None:
    body = b'{"orderid": "o1", "sku": "NEVER", "qty": 1}'
    assert shared_api.request("POST", "/allocate", body).status == 415
    assert shared_api.post("allocate", body, content_type="text/plain").status == 415
    assert shared_api.post("allocate", body, content_type="application/json; charset=utf-8").status == 400
    assert shared_api.post("allocate", b" " * 100_001).status == 413
    assert shared_api.post("allocate_order", b" " * 100_001).status == 400
    assert shared_api.post("allocate_order", b" " * 400_001).status == 413
    assert shared_api.post("allocate", chunks(b" " * 1_000_001)).status == 411
    assert shared_api.post("allocate", chunks(body)).status == 411
    assert shared_api.post("allocate", body).json["message"] == "Invalid sku NEVER"
    assert shared_api.get("nowhere").status == 404
    assert shared_api.post("nowhere", body).status == 404
    wrong_method = shared_api.request("GET", "/allocate")
    assert (wrong_method.status, wrong_method.content_type) == (405, PROBLEM)
    assert "POST" in wrong_method.headers["allow"]


def chunks(body: bytes) -> Iterator[bytes]:
    """Yield the body in parts, which the client sends in chunks and without a Content-Length."""
    for start in range(0, len(body), 100_000):
        yield body[start : start + 100_000]


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (b'{"orderid": "dup", "sku": "DUP", "qty": 1, "qty": 2}', "qty"),
        (b'{"orderid": "dup", "sku": "DUP", "qty": 1, "\\u0071ty": 2}', "qty"),
        (b'{"orderid": "dup", "sku": "DUP", "qty": 1, "more": {"a": 1, "a": 1}}', "a"),
    ],
)
def test_a_repeated_member_gets_a_400(body: bytes, member: str, shared_api: Api) -> None:
    """Programs disagree which of the values counts."""
    answer = shared_api.post("allocate", body)
    assert (answer.status, answer.json["message"]) == (400, f"{member} occurs more than once")
    assert shared_api.bulk(body.replace(b"{", b'{"type": "allocate", ', 1))[0]["status"] == 400
    assert shared_api.get("orders", "dup").status == 404


def test_a_very_long_number_in_an_ignored_member_does_no_harm(shared_api: Api) -> None:
    shared_api.add_batch("long-number", "LN", 10)
    body = b'{"orderid": "ln", "sku": "LN", "qty": 1, "more": ' + b"1" * 10_000 + b"}"
    assert shared_api.post("allocate", body).status in {202, 400}
