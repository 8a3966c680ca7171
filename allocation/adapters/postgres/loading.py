"""Locks the products of a unit of work, and then reads its batches and lines.

The number of statements does not depend on the size of the lock set.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import orjson

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.arrays import array
from allocation.adapters.postgres.driver.transaction import PostgresTransaction
from allocation.domain.events import Totals
from allocation.domain.model import Batch, OrderLine, Status, TrackedLine
from allocation.service_layer.unit_of_work import History, LockSet, RetryableError


class StoredProduct(NamedTuple):
    """The version is 0 if this transaction has created the product."""

    sku: str
    version: int
    totals: Totals


class Loaded(NamedTuple):
    """The rows that a lock set names. `history` is that of the log, or None if the log has none."""

    history: History | None
    products: Sequence[StoredProduct]
    batches: Sequence[Batch]
    lines: Sequence[TrackedLine]


def lock_and_read(transaction: PostgresTransaction, locks: LockSet) -> Loaded:
    """Lock the products, and read the rows that the lock set names, in one round trip.

    Raise RetryableError if an order gets a line of a product that this function has not locked.
    """
    if locks.wait in statements.WAITS:
        transaction.add(statements.limit_wait_for_products(locks.wait))
    if locks.new_skus:
        transaction.add(statements.CREATE_PRODUCTS, {"skus": array(locks.new_skus)})
    values = values_of(locks)
    if locks.owners_of or locks.orders:  # Few commands need the larger statements, which cost more to plan.
        transaction.add(statements.LOCK_PRODUCTS_OF_NAMES, values)
        loaded = as_loaded(transaction.query(statements.READ_STATE_WITH_ORDERS, values))
    else:
        transaction.add(statements.LOCK_PRODUCTS, values)
        loaded = as_loaded(transaction.query(statements.READ_STATE, values))
    if not {line.sku for line in loaded.lines} <= {product.sku for product in loaded.products}:
        raise RetryableError("An order got a line of a product that this transaction has not locked")
    return loaded


def as_loaded(rows: Sequence[Sequence[str]]) -> Loaded:
    [[state]] = rows
    history, products, batches, lines = orjson.loads(state)
    return Loaded(
        History(*history[0]) if history else None,
        [StoredProduct(sku, version, Totals(*totals)) for sku, version, *totals in products or ()],
        list({batch.ref: batch for batch in map(as_batch, batches or ())}.values()),
        list(map(as_line, lines or ())),
    )


def values_of(locks: LockSet) -> dict[str, str]:
    return {
        "skus": array(locks.skus),
        "refs": array(locks.batches | locks.owners_of),
        "owners_of": array(locks.owners_of),
        "orderids": array(locks.orders),
        "line_orderids": array(orderid for orderid, _ in locks.lines),
        "line_skus": array(sku for _, sku in locks.lines),
    }


def as_batch(row: Sequence[Any]) -> Batch:
    ref, sku, purchased, eta, created_qty, created_eta, *rest = row
    return Batch(ref, sku, purchased, as_date(eta), created_qty, as_date(created_eta), *rest)


def as_date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def as_line(row: Sequence[Any]) -> TrackedLine:
    orderid, sku, qty, arrived, status, *rest = row
    return TrackedLine(OrderLine(orderid, sku, qty), arrived, Status(status), *rest)
