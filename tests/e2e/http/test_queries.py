"""The queries."""

from typing import Any

import pytest

from tests.support.api import Api
from tests.support.services import web


def test_the_views_show_orders_products_and_batches(shared_api: Api) -> None:
    shared_api.add_batch("v-wh", "V", 5)
    shared_api.add_batch("v-late", "V", 9, "2027-03-01")
    shared_api.add_batch("v-soon", "V", 7, "2027-01-15")
    shared_api.add_batch("v2-wh", "V2", 1)
    shared_api.allocate("v", "V", 5)
    shared_api.allocate("v", "V2", 1)
    assert shared_api.get("orders", "v").json == {
        "orderid": "v",
        "lines": [
            {"sku": "V", "qty": 5, "status": "allocated", "batchref": "v-wh", "eta": None, "version": 4},
            {"sku": "V2", "qty": 1, "status": "allocated", "batchref": "v2-wh", "eta": None, "version": 2},
        ],
    }
    assert shared_api.get("products", "V").json == {
        "sku": "V",
        "available": 16,
        "waiting": {"lines": 0, "units": 0},
        "batches": [
            {"ref": "v-soon", "qty": 7, "allocated": 0, "eta": "2027-01-15", "available": 7},
            {"ref": "v-late", "qty": 9, "allocated": 0, "eta": "2027-03-01", "available": 9},
        ],
        "version": 4,
        "next": None,
    }
    batch = {"ref": "v-wh", "sku": "V", "qty": 5, "allocated": 5, "eta": None, "available": 0}
    assert shared_api.get("batches", "v-wh").json == batch
    assert shared_api.get("batches", "never").status == 404


@pytest.mark.parametrize(
    "name", ["a b", "a/b", "/a//b/", "{17}:order:o", "a,b", "椅子 🪑", "%2F", "a?b#c", "..", "a\nb", "'\"\\;"]
)
def test_an_identifier_may_contain_any_character(shared_api: Api, name: str) -> None:
    assert shared_api.add_batch(name, name, 10).status == 201
    assert shared_api.allocate(name, name, 3).status == 202
    assert shared_api.allocations(name).json == [{"sku": name, "batchref": name}]
    assert shared_api.get("orders", name).json["orderid"] == name
    assert shared_api.get("products", name).json["available"] == 7
    assert shared_api.get("batches", name).json["ref"] == name


def test_an_order_explains_why_a_line_has_no_earlier_batch(shared_api: Api) -> None:
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


@pytest.mark.slow
def test_a_query_worker_serves_queries_without_a_database(shared_api: Api, shared_environment: dict[str, str]) -> None:
    shared_api.add_batch("qw-1", "QW", 10)
    shared_api.allocate("qw", "QW", 3)
    without_database = {name: value for name, value in shared_environment.items() if name != "DATABASE_URL"}
    with web(without_database, "queries") as port:
        worker = Api(port)
        assert worker.allocations("qw").json == [{"sku": "QW", "batchref": "qw-1"}]
        assert worker.get("orders", "qw").json == shared_api.get("orders", "qw").json
        assert worker.get("products", "QW").json["available"] == 7
        assert worker.allocate("qw-2", "QW", 1).status == 404, "a query worker has no routes for commands"
        assert worker.get("health", "ready").json == {"status": "ready", "roles": {"queries": "ready"}}
        worker.connection.close()
