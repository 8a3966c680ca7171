"""What the shop has in stock, the same for the service and for who it is compared with."""

from collections.abc import Iterator

import orjson
from sqlalchemy import Engine, text

from allocation import bootstrap
from allocation.domain.commands import Allocate, Command, CreateBatch
from allocation.service_layer.outcomes import Done
from benchmarks.traffic import Traffic

SKUS = 1_000
ORDERS = 1_000
UNITS = 100_000_000
SKU, REF, ORDER = "sku-{name}", "batch-{name}", "order-{name}"
ANY, HOT = "any", "hot"


def stock(engine: Engine) -> None:
    """A batch for each SKU that does not run out, and one for the hot SKU."""
    names = [*map(str, range(SKUS)), HOT]
    carry_out(engine, (CreateBatch(REF.format(name=name), SKU.format(name=name), UNITS) for name in names))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def orders(engine: Engine, number: int) -> None:
    """So many orders, with one to five lines each."""
    carry_out(engine, lines_of_orders(number))


def lines_of_orders(number: int) -> Iterator[Allocate]:
    for order in range(number):
        for line in range(order % 5 + 1):
            yield Allocate(ORDER.format(name=order), SKU.format(name=(7 * order + line) % SKUS), 1)


def carry_out(engine: Engine, commands: Iterator[Command]) -> None:
    """By the service's own bus; the views get it from the relay."""
    bus = bootstrap.create_message_bus(engine, bootstrap.leave_to_relay)
    for outcome in bus.handle_all(commands):
        assert isinstance(outcome, Done), outcome


def allocations(name: str) -> Traffic:
    """New orders of one line, of the SKU of that name, or of any."""
    sku = SKU.format(name="<random>" if name == ANY else name)
    body = orjson.dumps({"orderid": "<id>", "sku": sku, "qty": 1}).decode()
    return Traffic("POST", "/allocate", body, success=202, many=SKUS)


def queries(route: str) -> Traffic:
    """Of one order or another."""
    return Traffic("GET", f"/{route}/{ORDER.format(name='<random>')}", many=ORDERS)
