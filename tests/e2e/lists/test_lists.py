"""Queries of lists: all products, short products, waiting lines, and the batch that a line would get."""

from typing import Any

import pytest

from tests.support.api import Api
from tests.support.e2e.lists import entries, path_of


@pytest.fixture
def shop(shared_api: Api) -> Api:
    """Repeated commands have no further effect."""
    for ref, sku, qty, eta in (
        ("li-b", "LI-1", 5, "2027-03-01"),
        ("li-a", "LI-1", 9, "2027-03-01"),
        ("li-late", "LI-1", 8, "2027-04-01"),
        ("li-wh", "LI-1", 6, None),
        ("li-2", "LI-2", 1, None),
        ("li-3", "LI-3", 4, None),
        ("li-4", "LI-4", 3, "2027-01-01"),
        ("li-5", "LI-5", 2, None),
    ):
        assert shared_api.add_batch(ref, sku, qty, eta).status == 201
    for orderid, sku, qty in (
        ("li-o1", "LI-1", 6),
        ("li-o2", "LI-1", 3),
        ("li-o1", "LI-2", 7),
        ("li-o1", "LI-3", 12),
        ("li-o2", "LI-3", 4),
        ("li-o1", "LI-4", 4),
        ("li-o3", "LI-4", 3),
        ("li-o2", "LI-4", 5),
        ("li-o3", "LI-2", 2),
    ):
        assert shared_api.allocate(orderid, sku, qty).status == 202
    return shared_api


def totals(sku: str, available: int, lines: int, units: int, version: int) -> dict[str, Any]:
    return {"sku": sku, "available": available, "waiting": {"lines": lines, "units": units}, "version": version}


PRODUCTS = {
    product["sku"]: product
    for product in (
        totals("LI-1", 19, 0, 0, 6),
        totals("LI-2", 1, 2, 9, 3),
        totals("LI-3", 0, 1, 12, 3),
        totals("LI-4", 0, 2, 9, 4),
        totals("LI-5", 2, 0, 0, 1),
    )
}


def own(products: list[Any]) -> list[Any]:
    """Return the products of this module. Other tests share the service."""
    return [product for product in products if product["sku"] in PRODUCTS]


def test_products_have_totals_and_are_in_order_of_sku(shop: Api) -> None:
    assert own(entries(shop, "/products", "products")) == list(PRODUCTS.values())
    assert own(entries(shop, "/products", "products", short=0)) == list(PRODUCTS.values())
    assert shop.request("GET", "/products").json.keys() == {"products", "next"}


def test_short_products_are_in_order_of_their_shortage(shop: Api) -> None:
    """LI-2 and LI-4 lack the same number of units."""
    expected = [PRODUCTS["LI-3"], PRODUCTS["LI-2"], PRODUCTS["LI-4"]]
    short = entries(shop, "/products", "products", short=1)
    assert own(short) == expected
    assert short == sorted(short, key=lambda product: (-product["waiting"]["units"], product["sku"]))
    assert {product["waiting"]["lines"] for product in short} >= {1, 2}
    assert 0 not in {product["waiting"]["lines"] for product in short}


def test_a_product_leaves_the_short_list_with_its_last_line(shared_api: Api) -> None:
    def short() -> list[int]:
        found = entries(shared_api, "/products", "products", short=1)
        return [product["waiting"]["units"] for product in found if product["sku"] == "LV"]

    shared_api.add_batch("lv-1", "LV", 1)
    for orderid, qty, expected in (("lv-o1", 100, [100]), ("lv-o2", 9, [109]), ("lv-o3", 1, [109])):
        shared_api.allocate(orderid, "LV", qty)
        assert short() == expected
    shared_api.add_batch("lv-2", "LV", 100)
    assert short() == [9]
    shared_api.post("deallocate", {"orderid": "lv-o2", "sku": "LV"})
    assert short() == []


def test_a_product_has_its_batches_in_order_of_preference(shop: Api) -> None:
    answer = shop.get("products", "LI-1")
    assert answer.json == PRODUCTS["LI-1"] | {
        "batches": [
            {"ref": "li-a", "qty": 9, "allocated": 3, "eta": "2027-03-01", "available": 6},
            {"ref": "li-b", "qty": 5, "allocated": 0, "eta": "2027-03-01", "available": 5},
            {"ref": "li-late", "qty": 8, "allocated": 0, "eta": "2027-04-01", "available": 8},
        ],
        "next": None,
    }
    assert shop.get("products", "LI-3").json == PRODUCTS["LI-3"] | {"batches": [], "next": None}


def test_a_waiting_list_is_in_order_of_arrival(shop: Api) -> None:
    assert shop.get("products", "LI-4", "waiting").json == {
        "sku": "LI-4",
        "waiting": {"lines": 2, "units": 9},
        "lines": [{"orderid": "li-o1", "qty": 4}, {"orderid": "li-o2", "qty": 5}],
        "next": None,
    }
    assert shop.get("products", "LI-5", "waiting").json == {
        "sku": "LI-5",
        "waiting": {"lines": 0, "units": 0},
        "lines": [],
        "next": None,
    }


def test_a_displaced_line_waits_in_its_former_place(shared_api: Api) -> None:
    """More than ten lines wait, so that the places have different numbers of digits."""

    def waiting() -> list[Any]:
        return entries(shared_api, path_of("products", "DI", "waiting"), "lines", limit=5)

    shared_api.add_batch("di-1", "DI", 10)
    for orderid, qty in (("di-z", 4), ("di-y", 3), ("di-x", 3)):
        shared_api.allocate(orderid, "DI", qty)
    later = [{"orderid": f"di-{number}", "qty": 9} for number in range(12)]
    for number in range(12):
        shared_api.allocate(f"di-{number}", "DI", 9)
    assert waiting() == later
    shared_api.post("change_batch_quantity", {"ref": "di-1", "qty": 6})
    assert waiting() == [{"orderid": "di-y", "qty": 3}, {"orderid": "di-x", "qty": 3}, *later]
    shared_api.post("change_batch_quantity", {"ref": "di-1", "qty": 7})
    shared_api.post("change_line_quantity", {"orderid": "di-x", "sku": "DI", "qty": 5})
    assert waiting() == [{"orderid": "di-x", "qty": 5}, *later]
    shared_api.post("deallocate", {"orderid": "di-x", "sku": "DI"})
    shared_api.allocate("di-x", "DI", 2)
    assert waiting() == [*later, {"orderid": "di-x", "qty": 2}]


def promise(sku: str, qty: int, batchref: str | None, eta: str | None, behind: Any = None) -> dict[str, Any]:
    status = "waiting" if batchref is None else "allocated"
    return {"sku": sku, "qty": qty, "status": status, "batchref": batchref, "eta": eta, "behind": behind}


@pytest.mark.parametrize(
    "expected",
    [
        promise("LI-1", 1, "li-a", "2027-03-01"),
        promise("LI-1", 6, "li-a", "2027-03-01"),
        promise("LI-1", 7, "li-late", "2027-04-01"),
        promise("LI-1", 9, None, None, {"lines": 0, "units": 0}),
        promise("LI-1", 2**31 - 1, None, None, {"lines": 0, "units": 0}),
        promise("LI-2", 1, "li-2", None),
        promise("LI-4", 1, None, None, {"lines": 2, "units": 9}),
    ],
    ids=lambda expected: f"{expected['qty']} of {expected['sku']}",
)
def test_a_promise_is_the_batch_of_a_new_line_or_none(shop: Api, expected: dict[str, Any]) -> None:
    path = path_of("products", expected["sku"], "promise")
    assert shop.request("GET", f"{path}?qty={expected['qty']}").json == expected


def test_an_allocation_keeps_the_promise(shared_api: Api) -> None:
    for ref, qty, eta in (("pr-1", 5, None), ("pr-2", 9, "2027-01-15"), ("pr-3", 7, "2027-03-01")):
        shared_api.add_batch(ref, "PR", qty, eta)
    for number, qty in enumerate((6, 4, 3, 2, 7, 9, 1, 1)):
        promised = shared_api.request("GET", f"/products/PR/promise?qty={qty}").json
        shared_api.allocate(f"pr-o{number}", "PR", qty)
        [line] = shared_api.get("orders", f"pr-o{number}").json["lines"]
        assert {name: promised[name] for name in ("sku", "qty", "status", "batchref", "eta")} == {
            name: line[name] for name in ("sku", "qty", "status", "batchref", "eta")
        }
