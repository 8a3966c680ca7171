"""The rules in plain Python, over the CSV files alone. It imports nothing of the service.

A line gets the first batch with enough stock, by ETA (none first) and reference, or it waits. All batches exist before
the first line.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.real_orders.data import rows

MOST_REASONS = 5
State = dict[str, Any]
Lines = dict[tuple[str, str], str | None]
"""Maps (order id, SKU) to the reference of the line's batch, or to None if the line waits."""


@dataclass
class Batch:
    ref: str
    eta: str | None
    qty: int
    left: int

    @property
    def with_room(self) -> State:
        allocated = self.qty - self.left
        return {"ref": self.ref, "qty": self.qty, "allocated": allocated, "eta": self.eta, "available": self.left}

    @property
    def reason(self) -> State:
        return {"ref": self.ref, "eta": self.eta, "available": self.left}


class Line(NamedTuple):
    """A line at the time of its order. `version` is that of its product, and `why` the batches that it passed over."""

    orderid: str
    sku: str
    qty: int
    version: int
    batchref: str | None
    why: list[State] | None

    @property
    def event(self) -> State:
        """What the history of the order says about the line, apart from the time."""
        return {
            "event": "OutOfStock" if self.batchref is None else "Allocated",
            "sku": self.sku,
            "version": self.version,
            "qty": self.qty,
            "batchref": self.batchref,
            "why": self.why,
            "actor": None,
        }


@dataclass
class Product:
    """The batches in order of preference, the waiting lines in order of arrival, and the number of events so far."""

    sku: str
    batches: list[Batch] = field(default_factory=list)
    waiting: list[Line] = field(default_factory=list)
    version: int = 0

    @property
    def units(self) -> int:
        """The units that the waiting lines lack."""
        return sum(line.qty for line in self.waiting)

    @property
    def totals(self) -> State:
        waiting = {"lines": len(self.waiting), "units": self.units}
        available = sum(batch.left for batch in self.batches)
        return {"sku": self.sku, "available": available, "waiting": waiting, "version": self.version}

    def choose(self, qty: int) -> Batch | None:
        return next((batch for batch in self.batches if batch.left >= qty), None)

    def order(self, orderid: str, qty: int) -> Line:
        chosen = self.choose(qty)
        self.version += 1
        line = Line(
            orderid, self.sku, qty, self.version, None if chosen is None else chosen.ref, self._passed_over(chosen)
        )
        if chosen is None:
            self.waiting.append(line)
        else:
            chosen.left -= qty
        return line

    def _passed_over(self, chosen: Batch | None) -> list[State] | None:
        before = self.batches if chosen is None else self.batches[: self.batches.index(chosen)]
        reasons = [batch.reason for batch in before if batch.left > 0][:MOST_REASONS]
        return reasons if reasons or chosen is None else None


class Shop(NamedTuple):
    """The products by SKU, and the lines of each order, both in the order of the files."""

    products: dict[str, Product]
    orders: dict[str, list[Line]]

    @property
    def lines(self) -> Lines:
        return {(line.orderid, line.sku): line.batchref for lines in self.orders.values() for line in lines}


def shop_of(batches: Path, orders: Path) -> Shop:
    """Return the shop after the last line."""
    products: dict[str, Product] = {}
    for row in rows(batches):
        product = products.setdefault(row["sku"], Product(row["sku"]))
        product.batches.append(Batch(row["ref"], row["eta"] or None, int(row["qty"]), int(row["qty"])))
        product.version += 1
    for product in products.values():
        product.batches.sort(key=lambda batch: (batch.eta or "", batch.ref))
    lines = defaultdict[str, list[Line]](list)
    for row in rows(orders):
        lines[row["orderid"]].append(products[row["sku"]].order(row["orderid"], int(row["qty"])))
    return Shop(products, lines)
