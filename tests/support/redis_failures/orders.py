"""Orders whose quantities only grow, so that a test can recognise an earlier state."""

import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from typing import cast

from redis import Redis

from readmodel.store.names import PLAIN
from readmodel.views.orders import decode_line, order_key
from tests.support.api import Answer, Api

SKU = "S"
FLAG = "allocation-views"

Quantities = dict[str, int]
"""Maps order ids to the quantity of their line. A missing order has the quantity 0."""


class GrowingOrders:
    """Orders with one line each. A smaller quantity is an earlier state. A missing order is the earliest state."""

    def __init__(self) -> None:
        self.quantities: Quantities = {}
        self._grown = defaultdict[str, list[tuple[float, int]]](list)

    def grow(self, api: Api, orderids: Iterable[str]) -> None:
        """Place each order, or add a unit to it. The service must accept that."""
        if not self.quantities:
            assert api.add_batch("b1", SKU, 1_000_000).status == 201
        for orderid in orderids:
            qty = self.quantities.get(orderid, 0) + 1
            route = "allocate" if qty == 1 else "change_line_quantity"
            assert api.post(route, {"orderid": orderid, "sku": SKU, "qty": qty}).status == 202
            self._grown[orderid].append((time.monotonic(), qty))
            self.quantities[orderid] = qty

    def quantities_of(self, orderids: Iterable[str]) -> Quantities:
        return {orderid: self.quantities[orderid] for orderid in orderids}

    def accepted_before(self, orderid: str, moment: float) -> int:
        """Return the largest quantity that the service accepted before this moment of the monotonic clock."""
        return max((qty for accepted, qty in self._grown[orderid] if accepted < moment), default=0)

    def are_shown(self, port: int) -> bool:
        """Return whether every query to this web process shows the last quantity, without a flag."""
        api = Api(port)
        with closing(api.connection):
            answers = [(api.get("orders", orderid), qty) for orderid, qty in self.quantities.items()]
        return all(FLAG not in answer.headers and quantity_in(answer) == qty for answer, qty in answers)


def quantity_in(answer: Answer) -> int | None:
    """Return the quantity that an answer about an order shows, 0 for a 404, or None for a 503."""
    assert answer.status in {200, 404, 503}, answer
    if answer.status == 200:
        [line] = answer.json["lines"]
        return int(line["qty"])
    return 0 if answer.status == 404 else None


def stored_quantities(redis: Redis, orderids: Iterable[str]) -> Quantities:
    """Return the quantities of those orders that the live generation of the server holds. Ask no process."""
    live = str(redis.get(PLAIN.generations)).partition(" ")[0]
    found = {orderid: redis.hget(f"{live}:{order_key(orderid)}", SKU) for orderid in orderids}
    return {
        orderid: decode_line(SKU, cast("str", register))["qty"]
        for orderid, register in found.items()
        if register is not None
    }
