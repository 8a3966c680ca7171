"""Pages: with `limit` and `next`, a client reads each entry of a list once."""

from typing import Any

import pytest

from tests.support.api import Api
from tests.support.e2e.lists import entries, pages, path_of

LINES, BATCHES, EVENTS = 13, 7, 9
ORDERS = [f"pg-o{number}" for number in range(LINES)]
LISTS = {
    "waiting": ("/products/PG/waiting", "lines", "orderid", ORDERS),
    "batches": ("/products/PG-2", "batches", "ref", [f"pg-b{number}" for number in range(BATCHES)]),
    "history": ("/orders/pg-h/history", "events", "qty", list(range(1, EVENTS + 1))),
}


@pytest.fixture
def shop(shared_api: Api) -> Api:
    """Repeated commands have no further effect, or the same one."""
    shared_api.add_batch("pg-1", "PG", 1)
    for orderid in ORDERS:
        shared_api.allocate(orderid, "PG", 5)
    for number in range(BATCHES):
        shared_api.add_batch(f"pg-b{number}", "PG-2", 5, f"2027-01-{10 + number}" if number else None)
    if shared_api.get("orders", "pg-h", "history").status == 404:
        shared_api.add_batch("pg-2", "PG-3", 100)
        shared_api.allocate("pg-h", "PG-3", 1)
        for qty in range(2, EVENTS + 1):
            shared_api.post("change_line_quantity", {"orderid": "pg-h", "sku": "PG-3", "qty": qty})
    return shared_api


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 9, 12, 13, 14, 100])
@pytest.mark.parametrize("name", LISTS)
def test_pages_contain_each_entry_once(name: str, limit: int, shop: Api) -> None:
    path, member, identifier, expected = LISTS[name]
    found = list(pages(shop, path, limit=limit))
    assert [entry[identifier] for page in found for entry in page[member]] == expected
    sizes = [len(page[member]) for page in found]
    assert sizes[:-1] == [limit] * (len(sizes) - 1), "only the last page may be short"
    assert 1 <= sizes[-1] <= limit
    assert len({page["next"] for page in found}) == len(found)


@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize("short", [0, 1])
def test_pages_contain_each_product_once(short: int, limit: int, shop: Api) -> None:
    """With several products of the same shortage, the SKU decides."""
    for number in range(8):
        shop.add_batch(f"pp-{number}", f"PP-{number}", 1)
        shop.allocate(f"pp-{number}", f"PP-{number}", 2_000 if number % 3 else 1_000)
    skus = [product["sku"] for product in entries(shop, "/products", "products", short=short, limit=limit)]
    expected = "1 2 4 5 7 0 3 6" if short else "0 1 2 3 4 5 6 7"
    assert [sku for sku in skus if sku.startswith("PP-")] == [f"PP-{number}" for number in expected.split()]
    assert len(skus) == len(set(skus))
    assert {product["sku"] for page in pages(shop, "/products", short=short) for product in page["products"]} == set(
        skus
    )


def test_a_page_has_50_entries_unless_limit_is_set(shared_api: Api) -> None:
    shared_api.add_batch("pl-1", "PL", 1)
    for number in range(101):
        shared_api.allocate(f"pl-o{number}", "PL", 5)
    assert [len(page["lines"]) for page in pages(shared_api, "/products/PL/waiting")] == [50, 50, 1]
    assert [len(page["lines"]) for page in pages(shared_api, "/products/PL/waiting", limit=100)] == [100, 1]


def test_each_page_has_the_totals_of_its_product(shop: Api) -> None:
    for page in pages(shop, "/products/PG-2", limit=3):
        assert (page["sku"], page["available"], page["version"]) == ("PG-2", 5 * BATCHES, BATCHES)
    for page in pages(shop, "/products/PG/waiting", limit=5):
        assert (page["sku"], page["waiting"]) == ("PG", {"lines": LINES, "units": 5 * LINES})


def test_a_page_starts_after_an_entry_that_has_left(shared_api: Api) -> None:
    """The client has read the entry, so it must see the entries that followed it."""
    shared_api.add_batch("pd-1", "PD", 1)
    for number in range(5):
        shared_api.allocate(f"pd-o{number}", "PD", 5)
    path = path_of("products", "PD", "waiting")
    first: Any = shared_api.request("GET", f"{path}?limit=2").json
    for orderid in ("pd-o1", "pd-o2"):
        shared_api.post("deallocate", {"orderid": orderid, "sku": "PD"})
    rest = entries(shared_api, path, "lines", next=first["next"])
    assert [line["orderid"] for line in first["lines"] + rest] == ["pd-o0", "pd-o1", "pd-o3", "pd-o4"]


def test_a_page_after_the_last_entry_is_empty(shared_api: Api) -> None:
    shared_api.add_batch("pe-1", "PE", 1)
    for number in range(2):
        shared_api.allocate(f"pe-o{number}", "PE", 5)
    after = shared_api.request("GET", "/products/PE/waiting?limit=1").json["next"]
    shared_api.post("deallocate", {"orderid": "pe-o1", "sku": "PE"})
    found = shared_api.request("GET", f"/products/PE/waiting?limit=1&next={after}").json
    assert (found["lines"], found["next"]) == ([], None)


def test_the_next_of_another_list_is_refused(shop: Api) -> None:
    for number in range(2):
        shop.add_batch(f"pn-{number}", f"PN-{number}", 1)
        shop.allocate(f"pn-o{number}", f"PN-{number}", 5)
    paths = ["/products", "/products?short=1", *(path for path, *_ in LISTS.values())]
    following = {
        path: shop.request("GET", f"{path}{'&' if '?' in path else '?'}limit=1").json["next"] for path in paths
    }
    for path in paths:
        for other, after in following.items():
            answer = shop.request("GET", f"{path}{'&' if '?' in path else '?'}next={after}")
            assert answer.status == (200 if other == path else 400), (path, other)
