"""One query returns up to 100 orders."""

from urllib.parse import quote

import pytest

from tests.support.api import Answer, Api

ODD = "so a b&c=ä/"


@pytest.fixture
def shop(shared_api: Api) -> Api:
    """Repeated commands have no further effect."""
    shared_api.add_batch("so-1", "SO-1", 3, "2027-01-01")
    shared_api.add_batch("so-2", "SO-2", 10)
    lines = (("so-o1", "SO-1", 1), ("so-o2", "SO-1", 2), ("so-o2", "SO-2", 1), ("so-o3", "SO-1", 5), (ODD, "SO-1", 1))
    assert {shared_api.allocate(*line).status for line in lines} == {202}
    return shared_api


def get(api: Api, *orderids: str, more: str = "") -> Answer:
    return api.request("GET", "/orders?" + "&".join(f"id={quote(orderid, safe='')}" for orderid in orderids) + more)


def test_orders_are_those_of_single_queries(shop: Api) -> None:
    orderids = ["so-o2", "so-o1", "so-o3", ODD]
    answer = get(shop, *orderids)
    assert answer.json == {"orders": [shop.get("orders", orderid).json for orderid in orderids], "unknown": []}


def test_reasons_are_included_on_request(shop: Api) -> None:
    expected = [shop.request("GET", f"/orders/{orderid}?explain=1").json for orderid in ("so-o1", "so-o3")]
    assert get(shop, "so-o1", "so-o3", more="&explain=1").json["orders"] == expected


def test_unknown_orders_are_named(shop: Api) -> None:
    assert get(shop, "ghost", "so-o1", "spook").json == {
        "orders": [shop.get("orders", "so-o1").json],
        "unknown": ["ghost", "spook"],
    }


def test_repeated_ids_count_once(shop: Api) -> None:
    assert [order["orderid"] for order in get(shop, "so-o1", "so-o2", "so-o1").json["orders"]] == ["so-o1", "so-o2"]


def test_hundred_orders_fit_in_one_query(shop: Api) -> None:
    assert len(get(shop, *(f"x{number}" for number in range(100))).json["unknown"]) == 100


@pytest.mark.parametrize("number", [0, 101, 300])
def test_other_numbers_of_ids_are_refused(number: int, shop: Api) -> None:
    answer = get(shop, *(f"x{n}" for n in range(number)))
    assert (answer.status, answer.content_type) == (400, "application/problem+json")


def test_an_empty_id_is_refused(shop: Api) -> None:
    """No order can have it, so the client has made a mistake."""
    answer = get(shop, "so-o1", "")
    assert (answer.status, answer.json["message"]) == (400, "The parameter id must not be empty")


@pytest.mark.parametrize("path", ["/orders?id={}", "/orders/{}", "/allocations/{}", "/products/{}", "/batches/{}"])
def test_too_long_identifier_is_refused(path: str, shop: Api) -> None:
    """The caches of keys would keep it."""
    assert shop.request("GET", path.format("x" * 256)).status == 400
    assert shop.request("GET", path.format("x" * 255)).status in (200, 404)
    assert shop.request("GET", path.format("%C3%A4" * 255)).status in (200, 404)
