"""The message bus beside `eventsourcing`, both in this process: one thread, one command at a time."""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import count

from allocation import components
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.domain.commands import Allocate
from benchmarks.peers.contenders import Stock
from benchmarks.peers.eventsourced.application import create_application
from benchmarks.peers.eventsourced.product import Product
from benchmarks.report.table import Row, at_least
from benchmarks.rounds import alternate
from benchmarks.stack import shop
from benchmarks.stack.bench import Options
from benchmarks.stack.databases import create_database
from benchmarks.stack.throwaway import Stack

Execute = Callable[[str, str], object]
"""Allocate one unit of a SKU for a new order: `execute(orderid, sku)`."""

BUS = "message bus"
CACHE = "`eventsourcing` with its cache"
FUNCTIONS, NEW_EVENTS = "POSTGRES_ENABLE_DB_FUNCTIONS", "AGGREGATE_CACHE_FASTFORWARD"
VARIANTS = {
    CACHE: {FUNCTIONS: "n"},
    f"{CACHE} and its database functions": {FUNCTIONS: "y"},
    f"{CACHE} and its database functions, as the only process": {FUNCTIONS: "y", NEW_EVENTS: "n"},
}
"""Maps each variant of the library to its settings. The only process need not look for events of others."""
TARGETS = {CACHE: at_least(1)}

ids = map("in-process-{}".format, count())


def measure_rows(stack: Stack, stock: Stock, options: Options) -> list[Row]:
    """Compare the message bus with each variant of the library. The database of the bus already has the stock."""
    with ExitStack() as cleanup:
        measures = {BUS: partial(commands_per_second, create_bus(stack, cleanup), options.seconds)}
        for number, (name, variables) in enumerate(VARIANTS.items()):
            url = create_database(stack, f"in_process_{number}")
            execute = create_warehouse(url, stock, variables, cleanup)
            measures[name] = partial(commands_per_second, execute, options.seconds)
        found = alternate(options.rounds, measures)
    measured = f"{BUS} in process, one thread, one command at a time, {shop.SKUS:,} SKUs"
    return [Row(measured, "stored/s", found[BUS], name, found[name], TARGETS.get(name)) for name in VARIANTS]


def create_bus(stack: Stack, cleanup: ExitStack) -> Execute:
    """Return the bus of an engine as web workers have it. It leaves the views to a relay, and no relay runs."""
    engine = create_postgres_engine(stack.database_url, connections=1)
    cleanup.callback(engine.dispose)
    bus = components.create_message_bus(engine, components.leave_to_relay)
    return lambda orderid, sku: bus.handle(Allocate(orderid, sku, 1))


def create_warehouse(url: str, stock: Stock, variables: dict[str, str], cleanup: ExitStack) -> Execute:
    """Return an application whose cache has all products."""
    warehouse = create_application(url, connections=1, **variables)
    cleanup.callback(warehouse.close)
    for sku, batches in stock.items():
        warehouse.add_product(sku, batches)
        warehouse.repository.get(Product.create_id(sku))
    return lambda orderid, sku: warehouse.allocate(orderid, sku, 1)


def commands_per_second(execute: Execute, seconds: int) -> float:
    started, commands = time.perf_counter(), 0
    while time.perf_counter() < started + seconds:
        execute(next(ids), shop.SKU.format(name=random.randrange(shop.SKUS)))
        commands += 1
    return commands / (time.perf_counter() - started)
