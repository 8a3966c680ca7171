"""The query routes: which view answers each of them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.views import batches, order_history, orders, products, promises
from readmodel.web.answers import Problem
from readmodel.web.edge.request import Request
from readmodel.web.parameters import LARGEST_QUANTITY, flag, number, page_request, require_identifier, values_of

MOST_ORDERS = 100
NO_ORDER, NO_PRODUCT = "There is no order {}", "There is no product {}"

Fetch = Callable[[Snapshot], Reading[Any]]
Prepare = Callable[[Request], Fetch]


class Route(NamedTuple):
    """`prepare` checks the parameters of a request, and returns the function that reads its view. It raises a Problem.

    `not_found` is the message of a 404.
    """

    prepare: Prepare
    not_found: str = ""


def prepare_allocations(request: Request) -> Fetch:
    return lambda snapshot: orders.allocations(snapshot, request.name)


def prepare_order(request: Request) -> Fetch:
    explain = flag(request, "explain")
    return lambda snapshot: orders.order(snapshot, request.name, explain=explain)


def prepare_orders(request: Request) -> Fetch:
    orderids = list(dict.fromkeys(values_of(request, "id")))
    if not 1 <= len(orderids) <= MOST_ORDERS:
        found = f"not {len(orderids)} times, for example ?id=a&id=b"
        raise Problem(400, f"The parameter id must occur 1 to {MOST_ORDERS} times, {found}")
    for orderid in orderids:
        require_identifier(orderid)
    explain = flag(request, "explain")
    return lambda snapshot: several_orders(snapshot, orderids, explain)


def several_orders(snapshot: Snapshot, orderids: Sequence[str], explain: bool) -> Reading[dict[str, list[Any]]]:
    """Return {"orders": [{…}, …], "unknown": [id, …]}."""
    found = yield from orders.orders(snapshot, orderids, explain=explain)
    unknown = [orderid for orderid, order in zip(orderids, found, strict=True) if order is None]
    return {"orders": [order for order in found if order is not None], "unknown": unknown}


def prepare_history(request: Request) -> Fetch:
    wanted = page_request(request)
    return lambda snapshot: order_history.order_history(snapshot, request.name, wanted)


def prepare_product(request: Request) -> Fetch:
    wanted = page_request(request)
    return lambda snapshot: products.product(snapshot, request.name, wanted)


def prepare_products(request: Request) -> Fetch:
    wanted, short = page_request(request), flag(request, "short")
    return lambda snapshot: products.products(snapshot, wanted, short=short)


def prepare_waiting_list(request: Request) -> Fetch:
    wanted = page_request(request)
    return lambda snapshot: orders.waiting_list(snapshot, request.name, wanted)


def prepare_promise(request: Request) -> Fetch:
    qty = number(request, "qty", LARGEST_QUANTITY)
    return lambda snapshot: promises.promise(snapshot, request.name, qty)


def prepare_batch(request: Request) -> Fetch:
    return lambda snapshot: batches.batch(snapshot, request.name)


ROUTES: dict[str, Route] = {
    "/allocations/": Route(prepare_allocations, "Order {} has no allocated line"),
    "/orders": Route(prepare_orders),
    "/orders/": Route(prepare_order, NO_ORDER),
    "/orders/{}/history": Route(prepare_history, NO_ORDER),
    "/products": Route(prepare_products),
    "/products/": Route(prepare_product, NO_PRODUCT),
    "/products/{}/waiting": Route(prepare_waiting_list, NO_PRODUCT),
    "/products/{}/promise": Route(prepare_promise, NO_PRODUCT),
    "/batches/": Route(prepare_batch, "There is no batch {}"),
}
"""A name follows a route with a slash at its end. `{}` is a name in the middle."""
