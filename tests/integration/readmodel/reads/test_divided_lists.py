"""A list that is divided among all buckets has the same pages, however its entries spread."""

from collections.abc import Sequence
from typing import Any

import pytest

from readmodel.store import keys
from readmodel.store.connection import RedisCommand
from readmodel.store.generations import Generations
from readmodel.store.lists import PageRequest
from readmodel.store.reads.reading import Trip
from readmodel.store.store import Store
from readmodel.views import products
from tests.support.readmodel.generations import LOG, always, announce_generation

IN_ONE_BUCKET = [sku for sku in (f"S{number:05}" for number in range(6_000)) if keys.bucket_for(sku) == "{07}"][:150]
SPREAD = [f"S{number:05}" for number in range(150)]
MIXED = sorted({*IN_ONE_BUCKET[:70], *SPREAD})


class CountingStore(Store):
    """Counts the trips of its readings."""

    trips = 0

    def exchange(self, commands: Sequence[RedisCommand]) -> Trip:
        self.trips += bool(commands)
        return super().exchange(commands)


def pages(store: Store, limit: int, short: bool) -> list[list[str]]:
    """Return the SKUs of each page."""
    found, after = list[list[str]](), None
    while True:
        wanted = PageRequest(limit, after)
        page: dict[str, Any] = store.read(lambda snapshot: products.products(snapshot, wanted, short=short)).value  # noqa: B023
        found.append([product["sku"] for product in page["products"]])
        after = page["next"]
        if after is None:
            return found


@pytest.mark.parametrize("short", [False, True], ids=["all", "short"])
@pytest.mark.parametrize("limit", [1, 7, 50, 100])
@pytest.mark.parametrize("skus", [IN_ONE_BUCKET, SPREAD, MIXED], ids=["one-bucket", "spread", "mixed"])
def test_pages_have_each_entry_once(store: Store, skus: list[str], limit: int, short: bool) -> None:
    announce_generation(store, Generations(), "g1.2")
    waiting = {"lines": 1, "units": 5}
    store.apply(always(*(products.totals(sku, 1, 0, waiting) for sku in skus)), LOG)
    found = pages(store, limit, short)
    assert [sku for page in found for sku in page] == skus
    assert {len(page) for page in found[:-1]} <= {limit}


@pytest.mark.parametrize(("skus", "trips"), [(SPREAD, 1), (IN_ONE_BUCKET, 2)], ids=["spread", "one-bucket"])
def test_another_trip_follows_only_if_a_bucket_has_more(store: Store, skus: list[str], trips: int) -> None:
    announce_generation(store, Generations(), "g1.2")
    store.apply(always(*(products.totals(sku, 1, 0, {"lines": 0, "units": 0}) for sku in skus)), LOG)
    counting = CountingStore(store.redis)
    page = counting.read(products.products).value
    assert [product["sku"] for product in page["products"]] == skus[:50]
    assert counting.trips == trips
