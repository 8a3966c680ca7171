"""Reads the state of products as events. The fold of the views then computes what the views should hold.

Each row has the version of the last event about it. So each row becomes one event with that version.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from allocation.adapters.postgres.driver.arrays import array, arrays
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.service_layer.unit_of_work import LoggedEvent

PAGE = 500

READ_SKUS = text("SELECT sku FROM products WHERE sku > :after AND version > 0 ORDER BY sku LIMIT :limit")
READ_SAMPLE = text("SELECT sku FROM products WHERE version > 0 ORDER BY random() LIMIT :limit")
READ_SKUS_OF_ORDER = text("SELECT sku FROM order_lines WHERE orderid = :orderid ORDER BY sku")
READ_PRODUCTS = text("""
    SELECT sku, version, available, waiting_lines, waiting_units FROM products
    WHERE sku = ANY(CAST(:skus AS text[])) AND version > 0
""")
READ_BATCHES = text("""
    SELECT sku, version, ref, purchased AS qty, allocated, shipped, CAST(eta AS text) AS eta FROM batches
    WHERE sku = ANY(CAST(:skus AS text[]))
""")
# Only the log has the reason of a line: why it waits, or did not get the first batch.
READ_LINES = text("""
    SELECT line.sku, line.version, orderid, qty, status, batchref, data->'why' AS why
    FROM order_lines AS line JOIN events ON (events.sku, events.version) = (line.sku, line.version)
    WHERE line.sku = ANY(CAST(:skus AS text[]))
""")
FIND_UNKNOWN_LINES = text("""
    SELECT orderid, sku FROM unnest(CAST(:orderid AS text[]), CAST(:sku AS text[])) AS line (orderid, sku)
    WHERE NOT EXISTS (SELECT FROM order_lines WHERE (order_lines.orderid, order_lines.sku) = (line.orderid, line.sku))
""")
FIND_UNKNOWN = {
    kind: text(f"""
        SELECT name FROM unnest(CAST(:names AS text[])) AS name
        WHERE NOT EXISTS (SELECT FROM {table} WHERE {column} = name)
    """)
    for kind, (table, column) in {
        "order": ("order_lines", "orderid"),
        "product": ("products", "sku"),
        "batch": ("batches", "ref"),
    }.items()
}


class StateReader:
    """Its methods raise RetryableError and StoreUnavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    def skus(self) -> Iterator[list[str]]:
        """Yield the SKUs that ever had a batch, in pages and in order."""
        after = ""
        while page := self._column(READ_SKUS, after=after, limit=PAGE):
            yield page
            after = page[-1]

    def sample(self, number: int) -> list[str]:
        return self._column(READ_SAMPLE, limit=number)

    def skus_of_order(self, orderid: str) -> list[str]:
        return self._column(READ_SKUS_OF_ORDER, orderid=orderid)

    def events_of(self, skus: Sequence[str]) -> list[LoggedEvent]:
        """Return an event for each product, batch and line of these SKUs, with the state of its row."""
        wanted = {"skus": array(skus)}
        with translated_errors(), self._engine.connect() as connection:
            # Lines before batches before products: the version of a product is then never below that of its rows.
            lines = connection.execute(READ_LINES, wanted).all()
            batches = connection.execute(READ_BATCHES, wanted).all()
            products = {row.sku: row for row in connection.execute(READ_PRODUCTS, wanted)}
        rows = [(row, {"batches": [], "line": line_of(row), **why_of(row)}) for row in lines]
        rows += [(row, {"batches": [batch_of(row)]}) for row in batches]
        return [
            *(product_event(product, product.version, {"batches": []}) for product in products.values()),
            *(product_event(products[row.sku], row.version, members) for row, members in rows if row.sku in products),
        ]

    def unknown_lines(self, lines: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return the pairs of order id and SKU for which the database has no line."""
        with translated_errors(), self._engine.connect() as connection:
            found = connection.execute(FIND_UNKNOWN_LINES, arrays(("orderid", "sku"), lines))
            return {(row.orderid, row.sku) for row in found}

    def unknown(self, kind: str, names: Sequence[str]) -> set[str]:
        """Return the names that the database does not have. `kind` is "order", "product" or "batch"."""
        return set(self._column(FIND_UNKNOWN[kind], names=array(names)))

    def _column(self, statement: Any, **parameters: object) -> list[str]:
        with translated_errors(), self._engine.connect() as connection:
            return column(connection, statement, parameters)


def column(connection: Connection, statement: Any, parameters: Mapping[str, object]) -> list[str]:
    return list(connection.execute(statement, parameters).scalars())


def product_event(product: Row[Any], version: int, members: Mapping[str, Any]) -> LoggedEvent:
    return {
        "type": "State",
        "sku": product.sku,
        "version": version,
        "available": product.available,
        "waiting": {"lines": product.waiting_lines, "units": product.waiting_units},
        **members,
    }


def batch_of(row: Row[Any]) -> dict[str, Any]:
    return {"ref": row.ref, "qty": row.qty, "allocated": row.allocated, "shipped": row.shipped, "eta": row.eta}


def line_of(row: Row[Any]) -> dict[str, Any]:
    return {"orderid": row.orderid, "qty": row.qty, "status": row.status, "batchref": row.batchref}


def why_of(row: Row[Any]) -> dict[str, Any]:
    return {} if row.why is None else {"why": row.why}
