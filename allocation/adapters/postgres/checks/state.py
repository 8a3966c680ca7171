"""Reads the state as events. The fold of the views then computes what the views should hold.

Each row has the version of the last event about it. So each row becomes an event with that version. A name identifies a
row: the SKU of a product, the reference of a batch, the order id and the SKU of a line, or the SKU and the version of
an event of the log.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, Row, text

from allocation.adapters.postgres.driver.arrays import array, arrays
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.service_layer.unit_of_work import LoggedEvent

PAGE = 500

Name = tuple[str | int, ...]

COLUMNS = {
    "product": ("sku",),
    "batch": ("ref",),
    "line": ("orderid", "sku"),
    "event": ("sku", "version"),
    "order": ("orderid",),
    "stock": ("sku", "ref"),
}
TYPES = {"version": "bigint"}
TABLES = {
    "product": "(SELECT sku, version FROM products WHERE version > 0) AS product",
    "batch": "batches",
    "line": "order_lines",
    "event": "(SELECT sku, version, data->'line'->>'orderid' AS orderid FROM events) AS event",
    "order": "order_lines",
    "stock": "batches",
}
READ_PRODUCTS = text("""
    SELECT sku, version, available, waiting_lines, waiting_units FROM products WHERE sku = ANY(CAST(:skus AS text[]))
""")
# Only the log has the reason of a line, why it waits or did not get the first batch, and what its last event was.
READ_ROWS = {
    "product": text("SELECT sku, version FROM unnest(CAST(:sku AS text[])) AS wanted (sku) JOIN products USING (sku)"),
    "batch": text("""
        SELECT sku, version, ref, purchased AS qty, allocated, shipped, CAST(eta AS text) AS eta
        FROM unnest(CAST(:ref AS text[])) AS wanted (ref) JOIN batches USING (ref)
    """),
    "line": text("""
        SELECT sku, version, orderid, qty, status, batchref, CASE status WHEN 'waiting' THEN arrived END AS place,
               data
        FROM unnest(CAST(:orderid AS text[]), CAST(:sku AS text[])) AS wanted (orderid, sku)
        JOIN order_lines USING (orderid, sku) JOIN events USING (sku, version)
    """),
    "event": text("""
        SELECT sku, version, data
        FROM unnest(CAST(:sku AS text[]), CAST(:version AS bigint[])) AS wanted (sku, version)
        JOIN events USING (sku, version)
    """),
}


class StateReader:
    """`kind` is "product", "batch", "line" or "event". The methods raise RetryableError and StoreUnavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    def pages(
        self,
        kind: str,
        *,
        sku: str | None = None,
        orderid: str | None = None,
        since: int | None = None,
        size: int = PAGE,
        after: Name = (),
    ) -> Iterator[list[Name]]:
        """Yield the names of all rows, in order: all, or those of a product or an order, or those after a name.

        With `since`, yield only those that have changed since that version. Each page has `size` names. The last page
        may have less.
        """
        columns = ", ".join(COLUMNS[kind])
        given = {name: value for name, value in (("sku", sku), ("orderid", orderid)) if value is not None}
        conditions = [f"{name} = :{name}" for name in given]
        if since is not None:
            given, conditions = {**given, "since": str(since)}, [*conditions, "version >= CAST(:since AS bigint)"]
        if kind == "event" and orderid is not None:  # The log has no index of orders.
            conditions.append("sku IN (SELECT sku FROM order_lines WHERE orderid = :orderid)")
        while True:
            last = {f"after_{number}": value for number, value in enumerate(after)}
            beyond = [f"({columns}) > ({', '.join(f':{name}' for name in last)})"] if last else []
            where = " AND ".join([*conditions, *beyond]) or "true"
            page = self._names(
                f"SELECT {columns} FROM {TABLES[kind]} WHERE {where} ORDER BY {columns} LIMIT :limit",
                {**given, **last, "limit": size},
            )
            if not page:
                return
            yield page
            after = page[-1]

    def changed(self, sku: str, since: int) -> Iterator[list[LoggedEvent]]:
        """Yield pages of events with the state of the product and of its rows that have changed since that version."""
        for kind in MEMBERS:
            for names in self.pages(kind, sku=sku, since=since):
                yield [event for events in self.events_of(kind, names).values() for event in events]

    def sample(self, kind: str, number: int) -> list[Name]:
        """Return the names of some random rows."""
        columns = ", ".join(COLUMNS[kind])
        return self._names(f"SELECT {columns} FROM {TABLES[kind]} ORDER BY random() LIMIT :limit", {"limit": number})

    def events_of(self, kind: str, names: Sequence[Name]) -> dict[Name, list[LoggedEvent]]:
        """Map each name to two events: the state of its row, and that of its product. Omit rows that do not exist.

        Map the name of an event to this event.
        """
        if not names:
            return {}
        with translated_errors(), self._engine.connect() as connection:
            rows = connection.execute(READ_ROWS[kind], arrays(COLUMNS[kind], names)).all()
            if kind == "event":
                return {(row.sku, row.version): [row.data] for row in rows}
            # Products last: the version of a product is then never below that of its rows.
            wanted = {"skus": array({row.sku for row in rows})}
            products = {row.sku: row for row in connection.execute(READ_PRODUCTS, wanted)}
        events = dict[Name, list[LoggedEvent]]()
        for row in rows:
            product = products[row.sku]
            name = tuple(getattr(row, column) for column in COLUMNS[kind])
            events[name] = [event(product, product.version, {}), event(product, row.version, MEMBERS[kind](row))]
        return events

    def unknown(self, kind: str, names: Sequence[Name]) -> set[Name]:
        """Return the names that the database does not have. The kinds "order" and "stock" are possible, too."""
        if not names:
            return set()
        columns = COLUMNS[kind]
        wanted = ", ".join(f"CAST(:{column} AS {TYPES.get(column, 'text')}[])" for column in columns)
        query = f"""
            SELECT {", ".join(columns)} FROM unnest({wanted}) AS wanted ({", ".join(columns)})
            EXCEPT SELECT {", ".join(columns)} FROM unnest({wanted}) AS wanted ({", ".join(columns)})
            JOIN {TABLES[kind]} USING ({", ".join(columns)})
        """
        return set(self._names(query, arrays(columns, names)))

    def _names(self, query: str, parameters: Mapping[str, object]) -> list[Name]:
        with translated_errors(), self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), parameters)]


def event(product: Row[Any], version: int, members: Mapping[str, Any]) -> LoggedEvent:
    return {
        "type": "State",
        "sku": product.sku,
        "version": version,
        "available": product.available,
        "waiting": {"lines": product.waiting_lines, "units": product.waiting_units},
        "batches": [],
        **members,
    }


def product_members(_: Row[Any]) -> dict[str, Any]:
    return {}


def batch_members(row: Row[Any]) -> dict[str, Any]:
    return {
        "batches": [
            {"ref": row.ref, "qty": row.qty, "allocated": row.allocated, "shipped": row.shipped, "eta": row.eta}
        ]
    }


def line_members(row: Row[Any]) -> dict[str, Any]:
    line = {"orderid": row.orderid, "qty": row.qty, "status": row.status, "batchref": row.batchref}
    if row.place is not None:
        line["place"] = row.place
    if not isinstance(row.data, dict) or not {"type", "at"} <= row.data.keys():
        return {"line": line}  # The event is damaged.
    return {name: row.data[name] for name in ("type", "at", "why", "actor") if name in row.data} | {"line": line}


MEMBERS = {"product": product_members, "batch": batch_members, "line": line_members}
