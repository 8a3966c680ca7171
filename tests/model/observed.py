"""Stores that tests can observe: every store shows its products, batches, lines and log in the same shape."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple, Protocol

from sqlalchemy import Engine, text

from allocation import components
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import LoggedEvent
from tests.support.service_layer.fakes import FakeStore

PRODUCTS = "SELECT sku, version, available, waiting_lines, waiting_units FROM products WHERE version > 0"
BATCHES = "SELECT ref, sku, purchased, allocated, shipped, eta, version FROM batches"
LINES = "SELECT orderid, sku, qty, status, batchref, version FROM order_lines"


class ProductRow(NamedTuple):
    version: int
    available: int
    waiting_lines: int
    waiting_units: int


class BatchRow(NamedTuple):
    sku: str
    qty: int
    allocated: int
    shipped: int
    eta: date | None
    version: int


class LineRow(NamedTuple):
    qty: int
    status: str
    batchref: str | None
    version: int


class State(NamedTuple):
    """Products by SKU, batches by reference, lines by order and SKU."""

    products: dict[str, ProductRow]
    batches: dict[str, BatchRow]
    lines: dict[tuple[str, str], LineRow]


class Observed(Protocol):
    """An empty store, and a bus that executes commands in it."""

    @property
    def bus(self) -> MessageBus: ...

    def state(self) -> State: ...

    def log(self) -> Sequence[LoggedEvent]:
        """Return every event, oldest first."""


class OverFakeStore:
    def __init__(self) -> None:
        self._store = FakeStore()
        self.bus = MessageBus(self._store.begin, lambda events: None)

    def state(self) -> State:
        return State(
            {
                sku: ProductRow(version, totals.available, totals.waiting_lines, totals.waiting_units)
                for sku, (version, totals) in self._store.products.items()
            },
            {
                ref: BatchRow(batch.sku, batch.purchased, batch.allocated, batch.shipped, batch.eta, batch.version)
                for ref, batch in self._store.batches.items()
            },
            {
                key: LineRow(line.qty, line.status.value, line.batchref, line.version)
                for key, line in self._store.lines.items()
            },
        )

    def log(self) -> Sequence[LoggedEvent]:
        return list(self._store.log)


class OverPostgres:
    """A database that is emptied first. The positions in its log continue, and do not start at 1 again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.bus = components.create_message_bus(engine, components.leave_to_relay)
        with engine.begin() as connection:
            connection.execute(text("TRUNCATE products, batches, order_lines, events, idempotency_keys"))

    def state(self) -> State:
        with self._engine.connect() as connection:
            products = connection.exec_driver_sql(PRODUCTS).all()
            batches = connection.exec_driver_sql(BATCHES).all()
            lines = connection.exec_driver_sql(LINES).all()
        return State(
            {sku: ProductRow(*row) for sku, *row in products},
            {ref: BatchRow(*row) for ref, *row in batches},
            {(orderid, sku): LineRow(*row) for orderid, sku, *row in lines},
        )

    def log(self) -> Sequence[LoggedEvent]:
        with self._engine.connect() as connection:
            return connection.exec_driver_sql("SELECT data FROM events ORDER BY position").scalars().all()
