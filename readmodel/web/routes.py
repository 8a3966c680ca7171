"""The query routes: which view answers each of them, and what `/openapi.json` says about it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.views import answers, batches, order_history, orders, products, promises
from readmodel.web.edge.request import Request
from readmodel.web.parameters import (
    EXPLAIN,
    IDS,
    ORDERID,
    PAGE,
    QTY,
    REF,
    SHORT,
    SKU,
    Parameter,
    flag,
    identifiers,
    number,
    page_request,
)

NO_ORDER, NO_PRODUCT = "There is no order {}", "There is no product {}"

Fetch = Callable[[Snapshot], Reading[Any]]
Prepare = Callable[[Request], Fetch]


class Route(NamedTuple):
    """`prepare` checks the parameters of a request, and returns the function that reads its view. It raises a Problem.

    `answer` is the type of the answer, and `summary` says what it is. `not_found` is the message of a 404.
    """

    prepare: Prepare
    answer: Any
    summary: str
    parameters: Sequence[Parameter] = ()
    not_found: str = ""


def prepare_allocations(request: Request) -> Fetch:
    return lambda snapshot: orders.allocations(snapshot, request.name)


def prepare_order(request: Request) -> Fetch:
    explain = flag(request, EXPLAIN)
    return lambda snapshot: orders.order(snapshot, request.name, explain=explain)


def prepare_orders(request: Request) -> Fetch:
    orderids = identifiers(request, IDS)
    explain = flag(request, EXPLAIN)
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
    wanted, short = page_request(request), flag(request, SHORT)
    return lambda snapshot: products.products(snapshot, wanted, short=short)


def prepare_waiting_list(request: Request) -> Fetch:
    wanted = page_request(request)
    return lambda snapshot: orders.waiting_list(snapshot, request.name, wanted)


def prepare_promise(request: Request) -> Fetch:
    qty = number(request, QTY)
    return lambda snapshot: promises.promise(snapshot, request.name, qty)


def prepare_batch(request: Request) -> Fetch:
    return lambda snapshot: batches.batch(snapshot, request.name)


ROUTES: dict[str, Route] = {
    "/allocations/": Route(
        prepare_allocations,
        list[answers.Allocation],
        "The lines of an order that have a batch",
        [ORDERID],
        "Order {} has no allocated line",
    ),
    "/orders": Route(prepare_orders, answers.Orders, "Up to 100 orders, and the ids that are unknown", [IDS, EXPLAIN]),
    "/orders/": Route(prepare_order, answers.Order, "The lines of an order", [ORDERID, EXPLAIN], NO_ORDER),
    "/orders/{}/history": Route(
        prepare_history,
        answers.OrderHistory,
        "What happened to the lines of an order, the oldest event first",
        [ORDERID, *PAGE],
        NO_ORDER,
    ),
    "/products": Route(prepare_products, answers.Products, "All SKUs with their totals", [SHORT, *PAGE]),
    "/products/": Route(
        prepare_product,
        answers.Product,
        "The totals of a SKU, and its batches with room in order of preference",
        [SKU, *PAGE],
        NO_PRODUCT,
    ),
    "/products/{}/waiting": Route(
        prepare_waiting_list,
        answers.WaitingList,
        "The waiting lines of a SKU, the oldest first",
        [SKU, *PAGE],
        NO_PRODUCT,
    ),
    "/products/{}/promise": Route(
        prepare_promise, answers.Promise, "What a line of a quantity would get now", [SKU, QTY], NO_PRODUCT
    ),
    "/batches/": Route(prepare_batch, answers.Batch, "The state of a batch", [REF], "There is no batch {}"),
}
"""A name follows a route with a slash at its end. `{}` is a name in the middle."""
