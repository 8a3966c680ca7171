"""Queries that name something unknown, or have bad parameters."""

from urllib.parse import quote

import pytest

from tests.support.api import Api
from tests.support.e2e.media_types import PROBLEM

PATHS = (
    "/products",
    "/products?short=1",
    "/products/RQ",
    "/products/RQ/waiting",
    "/products/RQ/promise?qty=1",
    "/orders/rq/history",
)
PAGED = ("/products", "/products?short=1", "/products/RQ", "/products/RQ/waiting", "/orders/rq/history")
OTHER_LIMIT = "limit must be an integer from 1 to 100, not {!r}"
OTHER_QTY = "qty must be an integer from 1 to 2147483647, not {!r}"
OTHER_NEXT = "next must be the member `next` of the previous page of the same list, not {!r}"


@pytest.fixture
def shop(shared_api: Api) -> Api:
    """Repeated commands have no further effect."""
    shared_api.add_batch("rq-1", "RQ", 5)
    shared_api.allocate("rq", "RQ", 9)
    return shared_api


def assert_refused(api: Api, path: str, message: str, status: int = 400) -> None:
    answer = api.request("GET", path)
    assert (answer.status, answer.content_type) == (status, PROBLEM)
    assert answer.json["message"] == message


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/products/GHOST", "There is no product GHOST"),
        ("/products/GHOST?limit=1", "There is no product GHOST"),
        ("/products/GHOST/waiting", "There is no product GHOST"),
        ("/products/GHOST/promise?qty=1", "There is no product GHOST"),
        ("/products/RQ%00/waiting", "There is no product RQ\0"),
        ("/products/R/waiting", "There is no product R"),
        ("/products/RQ2/promise?qty=1", "There is no product RQ2"),
        ("/products/rq/waiting", "There is no product rq"),
        ("/orders/ghost/history", "There is no order ghost"),
        ("/orders/RQ/history", "There is no order RQ"),
    ],
)
def test_unknown_name_is_a_404_that_names_it(path: str, message: str, shop: Api) -> None:
    assert_refused(shop, path, message, 404)


@pytest.mark.parametrize("value", ["0", "101", "x", "", "-1", "1.5", " 1", "1e1", "٣", "9" * 30])
@pytest.mark.parametrize("path", PAGED)
def test_bad_limit_is_a_400_that_names_it(path: str, value: str, shop: Api) -> None:
    assert_refused(shop, with_parameter(path, f"limit={quote(value)}"), OTHER_LIMIT.format(value))


@pytest.mark.parametrize("value", ["nonsense", "", "!", "QUFB", "MABB", "/w", "ä", "x" * 60])
@pytest.mark.parametrize("path", PAGED)
def test_bad_next_is_a_400_that_names_it(path: str, value: str, shop: Api) -> None:
    assert_refused(shop, with_parameter(path, f"next={quote(value, safe='')}"), OTHER_NEXT.format(value))


@pytest.mark.parametrize("value", ["0", "-1", "2147483648", "x", "1.5", "", " 1", "+1", "٣", "9" * 30])
def test_bad_quantity_is_a_400_that_names_it(value: str, shop: Api) -> None:
    assert_refused(shop, f"/products/RQ/promise?qty={quote(value)}", OTHER_QTY.format(value))


def test_missing_quantity_is_a_400(shop: Api) -> None:
    for path in ("/products/RQ/promise", "/products/RQ/promise?", "/products/RQ/promise?QTY=1&limit=5"):
        assert_refused(shop, path, "The parameter qty is missing, for example ?qty=5")


@pytest.mark.parametrize("value", ["2", "yes", "", "-1", "01"])
def test_bad_flag_is_a_400_that_names_it(value: str, shop: Api) -> None:
    assert_refused(shop, f"/products?short={value}", f"short must be 0 or 1, not {value!r}")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *((with_limit, "limit") for with_limit in ("/products?limit=1", "/products/RQ/waiting?limit=1")),
        ("/orders/rq/history?next=MABTAAA", "next"),
        ("/products/RQ/promise?qty=1", "qty"),
        ("/products?short=1", "short"),
    ],
)
def test_parameter_that_occurs_twice_is_refused(path: str, name: str, shop: Api) -> None:
    twice = f"{path}&{path.partition('?')[2]}"
    assert_refused(shop, twice, f"The parameter {name} occurs 2 times")


def test_long_value_is_cut_in_the_message(shop: Api) -> None:
    assert_refused(shop, f"/products?limit={'1' * 500}", OTHER_LIMIT.format("1" * 80))
    assert_refused(shop, f"/products?next={'A' * 3_000}", OTHER_NEXT.format("A" * 80))


def test_too_long_name_is_refused(shop: Api) -> None:
    for path in ("/products/{}/waiting", "/products/{}/promise?qty=1", "/orders/{}/history"):
        assert shop.request("GET", path.format("x" * 256)).status == 400
        assert shop.request("GET", path.format("x" * 255)).status == 404


@pytest.mark.parametrize("path", PATHS)
def test_head_has_the_headers_of_get_without_a_body(path: str, shop: Api) -> None:
    head, get = shop.request("HEAD", path), shop.request("GET", path)
    assert (head.status, head.body, get.status) == (200, "", 200)
    assert head.content_type == get.content_type == "application/json"
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.body.encode()))


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_get_a_405(path: str, shop: Api) -> None:
    for method in ("POST", "PUT", "DELETE"):
        answer = shop.request(method, path, b"{}", "application/json")
        assert (answer.status, answer.content_type) == (405, PROBLEM)
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert shop.request("OPTIONS", path).status == 200


@pytest.mark.parametrize("path", ["/products/", "/orders/", "/products//", "/orders//"])
def test_path_without_a_name_is_a_404(path: str, shop: Api) -> None:
    assert shop.request("GET", path).status == 404


def with_parameter(path: str, parameter: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{parameter}"
