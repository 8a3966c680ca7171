"""One query returns up to 100 orders."""

from urllib.parse import quote

import pytest

from tests.support.api import Answer, Api


@pytest.fixture
def shop(api: Api) -> Api:
    api.add_batch("b1", "S", 3, "2027-01-01")
    for orderid, sku, qty in (("o1", "S", 1), ("o2", "S", 2), ("o2", "T", 1), ("o3", "S", 5), ("a b&c=ä/", "S", 1)):
        if sku == "T":
            api.add_batch("b2", "T", 10)
        api.allocate(orderid, sku, qty)
    return api


def get(api: Api, *orderids: str, more: str = "") -> Answer:
    return api.request("GET", "/orders?" + "&".join(f"id={quote(orderid, safe='')}" for orderid in orderids) + more)


def test_orders_are_those_of_single_queries(shop: Api) -> None:
    orderids = ["o2", "o1", "o3", "a b&c=ä/"]
    answer = get(shop, *orderids)
    assert answer.json == {"orders": [shop.get("orders", orderid).json for orderid in orderids], "unknown": []}


def test_reasons_are_included_on_request(shop: Api) -> None:
    expected = [shop.request("GET", f"/orders/{orderid}?explain=1").json for orderid in ("o1", "o3")]
    assert get(shop, "o1", "o3", more="&explain=1").json["orders"] == expected


def test_unknown_orders_are_named(shop: Api) -> None:
    assert get(shop, "ghost", "o1", "spook").json == {
        "orders": [shop.get("orders", "o1").json],
        "unknown": ["ghost", "spook"],
    }


def test_repeated_ids_count_once(shop: Api) -> None:
    assert [order["orderid"] for order in get(shop, "o1", "o2", "o1").json["orders"]] == ["o1", "o2"]


def test_hundred_orders_fit_in_one_query(shop: Api) -> None:
    assert len(get(shop, *(f"x{number}" for number in range(100))).json["unknown"]) == 100


@pytest.mark.parametrize("number", [0, 101, 300])
def test_other_numbers_of_ids_are_refused(number: int, shop: Api) -> None:
    answer = get(shop, *(f"x{n}" for n in range(number)))
    assert (answer.status, answer.content_type) == (400, "application/problem+json")
