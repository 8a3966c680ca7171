"""Queries of lists read as little of a large product as of a small one."""

from functools import partial

import pytest

from readmodel.store.generations import Generations
from readmodel.store.lists import PageRequest
from readmodel.store.registers import State
from readmodel.store.store import Store
from readmodel.views import orders, products, promises
from tests.support.readmodel.counting import Cost, cost_of
from tests.support.readmodel.generations import LOG, announce_generation, fold_of
from tests.support.readmodel.large_products import batches_created, lines_out_of_stock, qty_of

BUCKETS, CURSOR = 32, 1
BATCHES = 10_000
PAGE, MOST_SHARES = 100, 600


@pytest.fixture
def lists(store: Store) -> Store:
    """A store with an empty live generation that has lists and histories."""
    announce_generation(store, Generations(), "g1.2.100")
    return store


@pytest.fixture
def large(lists: Store) -> Store:
    """A product with 10,000 batches. Each has room for one unit, and the last one for seven."""
    lists.apply(fold_of(list(batches_created("L", [1] * (BATCHES - 1) + [7]))), LOG)
    return lists


def test_a_page_of_batches_costs_the_same_for_any_product(large: Store) -> None:
    large.apply(fold_of(list(batches_created("S", [1] * (PAGE + 1)))), LOG)
    wanted, costs = PageRequest(PAGE), set[Cost]()
    for sku in ("L", "S"):
        found, cost = cost_of(large.redis, partial(products.product, sku=sku, wanted=wanted))
        assert len(found["batches"]) == PAGE
        assert found["next"]
        costs.add(cost)
    # The range of the totals is read before and after that of the batches, which has one entry more than the page.
    assert costs == {Cost(trips=1, commands=CURSOR + 3, ranges=3, entries=PAGE + 1 + 2)}


def test_every_page_of_batches_costs_the_same(large: Store) -> None:
    found, after = list[str](), None
    while True:
        wanted = PageRequest(PAGE, after)
        page, cost = cost_of(large.redis, partial(products.product, sku="L", wanted=wanted))
        found += [batch["ref"] for batch in page["batches"]]
        after = page["next"]
        assert cost == Cost(1, CURSOR + 3, 3, PAGE + (after is not None) + 2)
        if after is None:
            break
    assert found == [f"L-{number:06}" for number in range(1, BATCHES + 1)]


@pytest.mark.parametrize(
    ("qty", "ref", "trips", "read"),
    [
        pytest.param(1, "L-000001", 1, 50, id="the first batch"),
        # The trips read 50, 200, 800 and then 2,000 batches each.
        pytest.param(7, "L-010000", 8, BATCHES, id="the last batch"),
        pytest.param(8, None, 8, BATCHES, id="more than any batch"),
        pytest.param(BATCHES + 7, None, 1, 50, id="more than all batches"),
    ],
)
def test_a_promise_needs_few_trips(qty: int, ref: str | None, trips: int, read: int, large: Store) -> None:
    found, cost = cost_of(large.redis, partial(promises.promise, sku="L", qty=qty))
    assert found["batchref"] == ref
    assert cost[:3] == (trips, trips * (CURSOR + 3), trips * 3)
    assert read <= cost.entries <= read + 3 * trips


def assert_a_page_of_all_buckets_is_small(cost: Cost, others: int = 0) -> None:
    """The first trip asks each bucket for a share of the page. The second trip, if there is one, asks for all."""
    assert cost[:3] == (cost.trips, cost.trips * (BUCKETS * CURSOR + BUCKETS + others), cost.trips * (BUCKETS + others))
    assert cost.trips in (1, 2)
    assert cost.entries <= cost.trips * others + MOST_SHARES + (cost.trips - 1) * BUCKETS * (PAGE + 1)


@pytest.mark.parametrize(
    "number",
    [20_000, pytest.param(200_000, marks=[pytest.mark.slow, pytest.mark.timeout(0)])],
)
def test_every_page_of_a_waiting_list_is_small(number: int, lists: Store) -> None:
    lists.apply(fold_of(list(lines_out_of_stock("L", number))), LOG)
    expected = [{"orderid": f"L-{place}", "qty": qty_of(place)} for place in range(1, number + 1)]
    waiting = {"lines": number, "units": sum(qty_of(place) for place in range(1, number + 1))}
    found, after, trips = list[State](), None, list[int]()
    while True:
        wanted = PageRequest(PAGE, after)
        page, cost = cost_of(lists.redis, partial(orders.waiting_list, sku="L", wanted=wanted))
        assert page["waiting"] == waiting
        assert_a_page_of_all_buckets_is_small(cost, others=1)
        trips.append(cost.trips)
        found += page["lines"]
        after = page["next"]
        if after is None:
            break
    assert found == expected
    assert sum(trips) < 1.1 * len(trips), "second trips are not rare"


@pytest.mark.parametrize("short", [False, True])
def test_a_page_of_products_is_small(short: bool, lists: Store) -> None:
    skus = [f"S{number:05}" for number in range(10_000)]
    lists.apply(fold_of([event for sku in skus for event in lines_out_of_stock(sku, 1)]), LOG)
    wanted = PageRequest(PAGE)
    page, cost = cost_of(lists.redis, partial(products.products, wanted=wanted, short=short))
    assert [product["sku"] for product in page["products"]] == skus[:PAGE]
    assert_a_page_of_all_buckets_is_small(cost)
