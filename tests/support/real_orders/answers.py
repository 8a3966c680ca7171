"""Compares the answers of a query process with the shop of the oracle."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests.support.api import Api
from tests.support.e2e.lists import pages, path_of
from tests.support.real_orders.oracle import Line, Product, Shop, State

KEPT = 100
"""The latest events that the history of an order keeps."""


class Answers:
    """Asserts that answers are those of the shop. `compared` is the number of answers so far."""

    def __init__(self, api: Api, shop: Shop) -> None:
        self._api = api
        self._shop = shop
        self.compared = 0

    def compare_products(self) -> None:
        totals = [product.totals for product in sorted(self._shop.products.values(), key=lambda one: one.sku)]
        self._compare_list("/products", {}, "products", totals)
        short = [one for one in totals if one["waiting"]["lines"]]
        short.sort(key=lambda one: -int(one["waiting"]["units"]))  # It keeps the order of SKUs with equal shortages.
        assert 0 < len(short) < len(totals)
        self._compare_list("/products", {}, "products", short, short=1)

    def compare_product(self, product: Product) -> None:
        path, totals = path_of("products", product.sku), product.totals
        with_room = [batch.with_room for batch in product.batches if batch.left]
        self._compare_list(path, totals, "batches", with_room, limit=2)
        lines = [{"orderid": line.orderid, "qty": line.qty} for line in product.waiting]
        waiting = {"sku": product.sku, "waiting": totals["waiting"]}
        self._compare_list(f"{path}/waiting", waiting, "lines", lines, limit=20)
        largest = max((batch.left for batch in product.batches), default=0)
        for qty in sorted({1, largest, largest + 1, totals["available"] + 1} - {0}):
            self._compare(f"{path}/promise?qty={qty}", promise(product, qty))

    def compare_histories(self, orderids: Iterable[str]) -> None:
        for orderid in orderids:
            found: list[State] = []
            for page in self._pages(path_of("orders", orderid, "history"), limit=40):
                assert (page["orderid"], page["kept"]) == (orderid, KEPT)
                found += page["events"]
            assert_the_history_is_that_of(self._shop.orders[orderid], found)

    def _compare_list(
        self, path: str, head: State, member: str, expected: Sequence[State], limit: int = 50, **more: int
    ) -> None:
        """Compare all pages. Each page has the members of `head`, and only the last page may be short."""
        found = [page | {"next": page["next"] is not None} for page in self._pages(path, limit=limit, **more)]
        starts = range(0, len(expected), limit) or [0]
        assert found == [
            head | {member: expected[start : start + limit], "next": start + limit < len(expected)} for start in starts
        ], path

    def _pages(self, path: str, **parameters: int) -> Iterator[State]:
        for page in pages(self._api, path, **parameters):
            self.compared += 1
            yield dict(page)

    def _compare(self, path: str, expected: Any) -> None:
        assert self._api.request("GET", path).json == expected, path
        self.compared += 1


def promise(product: Product, qty: int) -> State:
    chosen = product.choose(qty)
    head = {"sku": product.sku, "qty": qty}
    if chosen is None:
        waiting = product.totals["waiting"]
        return head | {"status": "waiting", "batchref": None, "eta": None, "behind": waiting}
    return head | {"status": "allocated", "batchref": chosen.ref, "eta": chosen.eta, "behind": None}


def assert_the_history_is_that_of(lines: Sequence[Line], found: Sequence[State]) -> None:
    """The files do not say when a line was loaded. But many lines share a transaction, and so they have the same time.

    Transactions follow each other in the order of the file.
    """
    place = {line.sku: number for number, line in enumerate(lines)}
    expected = {line.sku: line.event for line in lines}
    assert [one | {"at": None} for one in found] == [expected[one["sku"]] | {"at": None} for one in found]
    keys = [(one["at"], one["sku"], one["version"]) for one in found]
    assert keys == sorted(set(keys))
    by_place = sorted(found, key=lambda one: place[one["sku"]])
    assert [one["at"] for one in by_place] == [one["at"] for one in found], "the times are not in the order of the file"
    assert len(found) == min(len(lines), KEPT)
    assert_the_latest_events_are_kept(place, found)


def assert_the_latest_events_are_kept(place: dict[str, int], found: Sequence[State]) -> None:
    """A lost event is of an earlier transaction than all kept ones, or precedes them in their oldest transaction."""
    oldest = [one["sku"] for one in found if one["at"] == found[0]["at"]]
    first = min(place[sku] for sku in oldest)
    end = min((place[one["sku"]] for one in found if one["at"] > found[0]["at"]), default=len(place))
    for sku in place.keys() - {one["sku"] for one in found}:
        assert place[sku] < end
        assert place[sku] < first or sku < oldest[0]
