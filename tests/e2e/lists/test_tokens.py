"""A query with the consistency token of a command shows the command, also in a list."""

from typing import Any

import pytest

from tests.support.api import Api
from tests.support.e2e.lists import entries

PATHS = (
    "/products",
    "/products?short=1",
    "/products/TK",
    "/products/TK/waiting",
    "/products/TK/promise?qty=1",
    "/orders/tk/history",
)


@pytest.fixture
def shop(shared_api: Api) -> Api:
    """Repeated commands have no further effect."""
    shared_api.add_batch("tk-1", "TK", 1_000)
    shared_api.allocate("tk", "TK", 1)
    return shared_api


def read(api: Api, token: str, path: str) -> Any:
    answer = api.get_at_least(token, path)
    assert answer.status == 200, answer.body
    assert api.request("GET", f"{path}{'&' if '?' in path else '?'}at_least={token}").json == answer.json
    return answer.json


def promise(api: Api, token: str, sku: str, qty: int) -> Any:
    return read(api, token, f"/products/{sku}/promise?qty={qty}")


def skus(api: Api, token: str, short: int) -> list[str]:
    products = entries(api, "/products", "products", at_least=token, short=short, limit=100)
    return [product["sku"] for product in products]


def test_each_list_shows_the_command_of_a_token(shop: Api) -> None:
    for number in range(4):
        sku, orderid = f"TK-{number}", f"tk-o{number}"
        token = shop.add_batch(f"tk-b{number}", sku, 7, "2027-01-15").headers["allocation-token"]
        [batch] = read(shop, token, f"/products/{sku}")["batches"]
        assert batch == {"ref": f"tk-b{number}", "qty": 7, "allocated": 0, "eta": "2027-01-15", "available": 7}
        assert {"batchref": f"tk-b{number}", "eta": "2027-01-15"}.items() <= promise(shop, token, sku, 7).items()
        assert sku in skus(shop, token, short=0)
        token = shop.allocate(orderid, sku, 8).headers["allocation-token"]
        assert read(shop, token, f"/products/{sku}/waiting")["lines"] == [{"orderid": orderid, "qty": 8}]
        assert sku in skus(shop, token, short=1)
        assert [event["event"] for event in read(shop, token, f"/orders/{orderid}/history")["events"]] == ["OutOfStock"]
        token = shop.post("deallocate", {"orderid": orderid, "sku": sku}).headers["allocation-token"]
        assert read(shop, token, f"/products/{sku}/waiting")["lines"] == []
        assert sku not in skus(shop, token, short=1)
        token = shop.allocate(f"{orderid}-2", sku, 7).headers["allocation-token"]
        assert read(shop, token, f"/products/{sku}")["batches"] == []
        assert promise(shop, token, sku, 1)["status"] == "waiting"


@pytest.mark.parametrize("path", PATHS)
def test_bad_token_of_a_list_is_a_400_that_names_it(path: str, shop: Api) -> None:
    answer = shop.get_at_least("nonsense", path)
    assert answer.status == 400
    assert answer.json["message"].startswith("Allocation-Token must be a token from the answer to a command")
    assert "'nonsense'" in answer.json["message"]
