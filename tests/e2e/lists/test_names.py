"""SKUs and order ids of any characters, and those that look like a part of a path."""

from urllib.parse import quote

import pytest

from tests.support.api import Api
from tests.support.e2e.lists import entries, path_of

WORDS = ("waiting", "promise", "history")
NAMES = (
    *WORDS,
    "n m",
    "n/m",
    "/n//m/",
    "/waiting",
    "n/waiting/",
    "waiting/n",
    "100%",
    "n%2Fm",
    "%00",
    "n?m#o",
    "n&limit=1",
    "n/..",
    "n\nm",
    "n'\"\\;",
    "{17}:list:room:n",
    "0\x01",
    "é",
    "e\u0301",
    "\ufffd",
    "\uffff",
    "椅子🪑",
    "🪑" * 255,
    "n" * 255,
)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_a_name_may_contain_any_character(shared_api: Api, name: str) -> None:
    assert shared_api.add_batch(name, name, 10).status == 201
    assert shared_api.allocate(name, name, 3).status == 202
    assert shared_api.allocate(f"{name[:250]}-2", name, 8).status == 202
    totals = {"sku": name, "available": 7, "waiting": {"lines": 1, "units": 8}, "version": 3}
    batches = [{"ref": name, "qty": 10, "allocated": 3, "eta": None, "available": 7}]
    assert shared_api.get("products", name).json == totals | {"batches": batches, "next": None}
    waiting = shared_api.get("products", name, "waiting").json
    assert waiting["sku"] == name
    assert waiting["lines"] == [{"orderid": f"{name[:250]}-2", "qty": 8}]
    promise = shared_api.request("GET", f"{path_of('products', name, 'promise')}?qty=7").json
    assert (promise["sku"], promise["batchref"]) == (name, name)
    history = shared_api.get("orders", name, "history").json
    assert history["orderid"] == name
    own = [event for event in history["events"] if event["sku"] == name]
    assert [(event["event"], event["qty"], event["batchref"]) for event in own] == [("Allocated", 3, name)]
    for short in (0, 1):
        found = entries(shared_api, "/products", "products", short=short, limit=100)
        assert [product for product in found if product["sku"] == name] == [totals]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_a_path_may_be_a_name(shared_api: Api, word: str) -> None:
    shared_api.add_batch(word, word, 10)
    assert shared_api.allocate(word, word, 3).status == 202
    assert shared_api.request("GET", f"/products/{word}").json["sku"] == word
    assert shared_api.request("GET", f"/orders/{word}").json["orderid"] == word
    assert shared_api.request("GET", f"/products/{word}/waiting").json["sku"] == word
    assert shared_api.request("GET", f"/orders/{word}/history").json["orderid"] == word


@pytest.mark.parametrize(
    ("name", "part"),
    [("pa", "waiting"), ("pa/waiting", "waiting"), ("pa/promise", "promise"), ("pa/promise", "waiting")],
)
def test_the_last_part_of_a_path_selects_the_list(shared_api: Api, name: str, part: str) -> None:
    """`%2F` is a slash, as in every path of a query."""
    shared_api.add_batch(f"{name}-1", name, 10)
    for path in (f"/products/{quote(name)}/{part}?qty=1", f"/products/{quote(name, safe='')}%2F{part}?qty=1"):
        answer = shared_api.request("GET", path).json
        assert answer["sku"] == name
        assert ("status" in answer, "lines" in answer) == (part == "promise", part == "waiting")


def test_an_order_named_like_a_history_is_seen_at_its_location(shared_api: Api) -> None:
    shared_api.add_batch("nh-1", "NH", 10)
    answer = shared_api.allocate("nh/history", "NH", 1)
    [order] = shared_api.request("GET", answer.headers["location"]).json["orders"]
    assert (order["orderid"], order["lines"][0]["batchref"]) == ("nh/history", "nh-1")
    assert shared_api.request("GET", "/orders/nh%2Fhistory/history").json["orderid"] == "nh/history"


def test_products_are_in_order_of_their_characters(shared_api: Api) -> None:
    """Redis sorts bytes, and the service merges the lists of several buckets."""
    names = ["oc-", "oc-\x01", "oc-A", "oc-a", "oc-a\x01", "oc-aa", "oc-é", "oc-\ufffd", "oc-🪑", "oc-🪑a"]
    for name in reversed(names):
        assert shared_api.add_batch(f"{name}-1", name, 1).status == 201
        assert shared_api.allocate("oc", name, 5).status == 202
    for short in (0, 1):
        for limit in (1, 100):
            found = entries(shared_api, "/products", "products", short=short, limit=limit)
            assert [product["sku"] for product in found if product["sku"].startswith("oc-")] == names


def test_orders_of_any_name_wait_in_order_of_arrival(shared_api: Api) -> None:
    shared_api.add_batch("ow-1", "OW", 1)
    for name in NAMES:
        assert shared_api.allocate(name, "OW", 5).status == 202
    for limit in (1, 3):
        lines = entries(shared_api, "/products/OW/waiting", "lines", limit=limit)
        assert [line["orderid"] for line in lines] == list(NAMES)


def test_batches_of_any_name_are_in_order_of_preference(shared_api: Api) -> None:
    etas = [None, "2027-01-15", "1000-01-01", "9999-12-31"]
    for number, name in enumerate(NAMES):
        assert shared_api.add_batch(f"{name[:250]}-ob", "OB", 1, etas[number % 4]).status == 201
    expected = sorted((etas[number % 4] or "", f"{name[:250]}-ob") for number, name in enumerate(NAMES))
    for limit in (1, 3):
        batches = entries(shared_api, "/products/OB", "batches", limit=limit)
        assert [(batch["eta"] or "", batch["ref"]) for batch in batches] == expected


def test_a_history_has_skus_of_any_name(shared_api: Api) -> None:
    for name in NAMES:
        shared_api.add_batch(f"{name[:250]}-hs", name, 1)
    lines = [{"sku": name, "qty": 50} for name in NAMES]
    assert shared_api.post("allocate_order", {"orderid": "hs", "lines": lines}).status == 202
    for limit in (1, 3):
        events = entries(shared_api, "/orders/hs/history", "events", limit=limit)
        assert [event["sku"] for event in events] == sorted(NAMES), "they have the same moment"
