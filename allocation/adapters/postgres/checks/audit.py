"""Checks the invariants of the database in SQL."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.errors import translated_errors

LAST_EVENT_OF_LINES = """
    SELECT DISTINCT ON (sku, data->'line'->>'orderid')
           sku, data->'line'->>'orderid' AS orderid, version, CAST(data->'line'->>'qty' AS bigint) AS qty,
           data->'line'->>'status' AS status, data->'line'->>'batchref' AS batchref
    FROM events WHERE data->'line' IS NOT NULL ORDER BY sku, data->'line'->>'orderid', version DESC
"""
# Old events have no shipped units: an old version of the service could not ship lines.
LAST_EVENT_OF_BATCHES = """
    SELECT DISTINCT ON (batch->>'ref')
           batch->>'ref' AS ref, sku, version, CAST(batch->>'qty' AS bigint) AS purchased,
           CAST(batch->>'allocated' AS bigint) AS allocated, coalesce(CAST(batch->>'shipped' AS bigint), 0) AS shipped,
           CAST(batch->>'eta' AS date) AS eta
    FROM events, json_array_elements(data->'batches') AS batch ORDER BY batch->>'ref', version DESC
"""
LAST_EVENT_OF_PRODUCTS = """
    SELECT DISTINCT ON (sku) sku, version, CAST(data->>'available' AS bigint) AS available,
           CAST(data->'waiting'->>'lines' AS bigint) AS waiting_lines,
           CAST(data->'waiting'->>'units' AS bigint) AS waiting_units
    FROM events ORDER BY sku, version DESC
"""

BREACHES = {
    "a batch's allocated units are between zero and its quantity": """
        SELECT ref FROM batches WHERE allocated NOT BETWEEN 0 AND purchased
    """,
    "a batch's shipped units are between zero and its allocated units": """
        SELECT ref FROM batches WHERE shipped NOT BETWEEN 0 AND allocated
    """,
    "a batch's allocated and shipped units equal the units of its lines": """
        SELECT ref FROM batches LEFT JOIN (
            SELECT batchref AS ref, sum(qty) AS allocated, sum(qty) FILTER (WHERE status = 'shipped') AS shipped
            FROM order_lines WHERE batchref IS NOT NULL GROUP BY batchref
        ) AS lines USING (ref)
        WHERE (batches.allocated, batches.shipped) <> (coalesce(lines.allocated, 0), coalesce(lines.shipped, 0))
    """,
    "a line has a batch of its SKU if it is allocated or shipped, and otherwise no batch": """
        SELECT orderid FROM order_lines LEFT JOIN batches ON ref = batchref
        WHERE (status IN ('allocated', 'shipped')) <> (ref IS NOT NULL) OR order_lines.sku <> batches.sku
    """,
    "an order has at most one line per SKU": """
        SELECT orderid FROM order_lines GROUP BY orderid, sku HAVING count(*) > 1
    """,
    "the quantity of every line is above zero": "SELECT orderid FROM order_lines WHERE qty <= 0",
    "no two waiting lines of a SKU have the same place on the waiting list": """
        SELECT sku FROM order_lines WHERE status = 'waiting' GROUP BY sku, arrived HAVING count(*) > 1
    """,
    "no waiting line fits on a batch of its SKU": """
        SELECT orderid FROM order_lines WHERE status = 'waiting' AND EXISTS (
            SELECT FROM batches WHERE batches.sku = order_lines.sku AND purchased - allocated >= qty
        )
    """,
    "a product's available units equal the available units of its batches": """
        SELECT sku FROM products LEFT JOIN (
            SELECT sku, sum(purchased - allocated) AS available FROM batches GROUP BY sku
        ) AS own USING (sku)
        WHERE products.available <> coalesce(own.available, 0)
    """,
    "a product's totals of waiting lines and units equal those of its lines": """
        SELECT sku FROM products LEFT JOIN (
            SELECT sku, count(*) AS lines, sum(qty) AS units FROM order_lines WHERE status = 'waiting' GROUP BY sku
        ) AS own USING (sku)
        WHERE (waiting_lines, waiting_units) <> (coalesce(own.lines, 0), coalesce(own.units, 0))
    """,
    "a product's events have every version from 1 to the product's version": """
        SELECT sku FROM products FULL JOIN (
            SELECT sku, count(*) AS events, max(version) AS last FROM events GROUP BY sku
        ) AS own USING (sku)
        WHERE (coalesce(version, 0), coalesce(version, 0)) <> (coalesce(own.events, 0), coalesce(own.last, 0))
    """,
    "the log has the events of a product in the order of their versions": """
        SELECT sku FROM (
            SELECT sku, version, lag(version) OVER (PARTITION BY sku ORDER BY position) AS before FROM events
        ) AS event WHERE version <= before
    """,
    "every transaction marks its last event in the log, and no other event": """
        SELECT CAST(transaction AS text) FROM events GROUP BY transaction
        HAVING count(*) FILTER (WHERE last) <> 1 OR max(position) <> max(position) FILTER (WHERE last)
    """,
    "a line has the state that its last event describes": f"""
        SELECT orderid FROM ({LAST_EVENT_OF_LINES}) AS event FULL JOIN order_lines AS line USING (sku, orderid)
        WHERE (event.version, event.qty, event.status, event.batchref)
              IS DISTINCT FROM (line.version, line.qty, line.status, line.batchref)
    """,
    "a batch has the state that its last event describes": f"""
        SELECT ref FROM ({LAST_EVENT_OF_BATCHES}) AS event FULL JOIN batches AS batch USING (ref)
        WHERE (event.sku, event.version, event.purchased, event.allocated, event.shipped, event.eta)
              IS DISTINCT FROM (batch.sku, batch.version, batch.purchased, batch.allocated, batch.shipped, batch.eta)
    """,
    "a product has the version and the totals of its last event": f"""
        SELECT sku FROM ({LAST_EVENT_OF_PRODUCTS}) AS event FULL JOIN products USING (sku)
        WHERE (coalesce(event.version, 0), coalesce(event.available, 0), coalesce(event.waiting_lines, 0),
               coalesce(event.waiting_units, 0))
              IS DISTINCT FROM (products.version, products.available, products.waiting_lines, products.waiting_units)
    """,
    "every idempotency key has an outcome and its event ranges": """
        SELECT key FROM idempotency_keys WHERE outcome IS NULL OR effects IS NULL
    """,
}
"""Maps each invariant to a query for the names of the rows that break it."""


class Finding(NamedTuple):
    """`breaches` rows break the invariant. `example` names one of them, or is None if there is no breach."""

    invariant: str
    breaches: int
    example: str | None


def audit(engine: Engine) -> Iterator[Finding]:
    """Check every invariant in one snapshot of the database, and yield a finding for each.

    Other transactions may write meanwhile. Raise RetryableError or StoreUnavailable for the driver's errors.
    """
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with translated_errors(), snapshot.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for invariant, breaches in BREACHES.items():
            found = connection.execute(text(f"SELECT count(*), min(what) FROM ({breaches}) AS breach (what)")).one()
            yield Finding(invariant, *found)
