"""Locks the products of a unit of work, and then reads its batches and lines.

The number of statements does not depend on the size of the lock set.
"""

from collections.abc import Collection, Sequence
from itertools import starmap
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.arrays import array, arrays
from allocation.domain.model import Batch, OrderLine, Status, TrackedLine
from allocation.service_layer.unit_of_work import History, LockSet, RetryableError


class Loaded(NamedTuple):
    """The rows that a lock set names. `created` holds the SKUs of the products that this transaction has created.

    `history` is that of the log, or None if this transaction has locked no product.
    """

    created: Sequence[str]
    history: History | None
    products: Sequence[Row[Any]]
    batches: Sequence[Batch]
    lines: Sequence[TrackedLine]


def lock_and_read(connection: Connection, locks: LockSet) -> Loaded:
    """Lock the products, and read the rows that the lock set names.

    Raise RetryableError if an order gets a line of a product that this function has not locked.
    """
    created = create_products(connection, locks)
    products = lock_products(connection, locks)
    skus = {row.sku for row in products}
    lines = read_lines(connection, locks)
    if not {line.sku for line in lines} <= skus:
        raise RetryableError("An order got a line of a product that this transaction has not locked")
    refs = locks.batches | locks.owners_of | {line.batchref for line in lines if line.batchref is not None}
    history = History(products[0].identity, products[0].epoch) if products and products[0].identity else None
    return Loaded(created, history, products, read_batches(connection, skus, refs), lines)


def create_products(connection: Connection, locks: LockSet) -> Sequence[str]:
    if not locks.new_skus:
        return ()
    create = statements.with_wait(statements.CREATE_PRODUCTS, locks.wait)
    return connection.execute(create, {"skus": array(locks.new_skus)}).scalars().all()


def lock_products(connection: Connection, locks: LockSet) -> Sequence[Row[Any]]:
    owners = read_skus(connection, locks.owners_of, locks.orders)
    lock = statements.with_wait(statements.LOCK_PRODUCTS, locks.wait)
    return connection.execute(lock, {"skus": array(locks.skus | owners)}).all()


def read_skus(connection: Connection, refs: Collection[str], orders: Collection[str]) -> set[str]:
    """Return the SKUs of these batches and orders, without a lock.

    A batch never changes its SKU. An order can get lines of other SKUs before the lock. `lock_and_read` checks that.
    """
    skus = set[str]()
    if refs:
        skus.update(connection.execute(statements.READ_OWNERS, {"refs": array(refs)}).scalars())
    if orders:
        skus.update(connection.execute(statements.READ_SKUS_OF_ORDERS, {"orderids": array(orders)}).scalars())
    return skus


def read_batches(connection: Connection, skus: Collection[str], refs: Collection[str]) -> list[Batch]:
    """Return each batch of these SKUs that has room, and each batch with one of these references. Omit duplicates."""
    rows = list(connection.execute(statements.READ_OPEN_BATCHES, {"skus": array(skus)}))
    if refs:
        rows += connection.execute(statements.READ_BATCHES, {"refs": array(refs)})
    return list({batch.ref: batch for batch in starmap(Batch, rows)}.values())


def read_lines(connection: Connection, locks: LockSet) -> list[TrackedLine]:
    lines: list[TrackedLine] = []
    if locks.lines:
        wanted = arrays(("orderids", "skus"), list(locks.lines))
        lines += map(as_line, connection.execute(statements.READ_LINES, wanted))
    if locks.orders:
        lines += map(as_line, connection.execute(statements.READ_ORDERS, {"orderids": array(locks.orders)}))
    return lines


def as_line(row: Sequence[Any]) -> TrackedLine:
    orderid, sku, qty, arrived, status, *rest = row
    return TrackedLine(OrderLine(orderid, sku, qty), arrived, Status(status), *rest)
