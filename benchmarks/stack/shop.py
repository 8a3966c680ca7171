"""The stock and the orders of the measured shop, and the traffic on them. The references use the same stock."""

from collections.abc import Iterator

import orjson
from sqlalchemy import Engine

from allocation import components
from allocation.domain.commands import Allocate, Command, CreateBatch
from allocation.service_layer.outcomes import Done
from benchmarks.load_generator.traffic import Traffic
from benchmarks.stack.databases import vacuum

SKUS = 1_000
ORDERS = 1_000
UNITS = 100_000_000
SKU, REF, ORDER = "sku-{name}", "batch-{name}", "order-{name}"
ANY, HOT = "any", "hot"
"""Names of traffic: on SKUs at random, and on one SKU that all requests share."""


def add_stock(engine: Engine) -> None:
    """Create a batch for each SKU, and one for the hot SKU. They are too large to run out."""
    names = [*map(str, range(SKUS)), HOT]
    execute(engine, (CreateBatch(REF.format(name=name), SKU.format(name=name), UNITS) for name in names))
    vacuum(engine)


def add_orders(engine: Engine, number: int) -> None:
    """Allocate that many orders, with one to five lines each."""
    execute(engine, lines_of_orders(number))


def lines_of_orders(number: int) -> Iterator[Allocate]:
    for order in range(number):
        for line in range(order % 5 + 1):
            yield Allocate(ORDER.format(name=order), SKU.format(name=(7 * order + line) % SKUS), 1)


def execute(engine: Engine, commands: Iterator[Command]) -> None:
    """Execute the commands on a message bus of the service. The relay updates the views."""
    bus = components.create_message_bus(engine, components.leave_to_relay)
    for outcome in bus.handle_all(commands):
        assert isinstance(outcome, Done), outcome


def allocations(name: str, skus: int = SKUS) -> Traffic:
    """Return commands that allocate new orders of one line. `name` is ANY for `skus` SKUs, or the name of a SKU."""
    sku = SKU.format(name="<random>" if name == ANY else name)
    body = orjson.dumps({"orderid": "<id>", "sku": sku, "qty": 1}).decode()
    return Traffic("POST", "/allocate", body, success=202, many=skus)


def queries(route: str) -> Traffic:
    """Return queries for orders at random."""
    return Traffic("GET", f"/{route}/{ORDER.format(name='<random>')}", many=ORDERS)
