"""What must be true of the database whatever has happened, in plain SQL."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.errors import translated_errors

LAST_OF_EACH_LINE = """
    SELECT DISTINCT ON (sku, data->'line'->>'orderid')
           sku, data->'line'->>'orderid' AS orderid, version, CAST(data->'line'->>'qty' AS bigint) AS qty,
           data->'line'->>'status' AS status, data->'line'->>'batchref' AS batchref
    FROM events WHERE data->'line' IS NOT NULL ORDER BY sku, data->'line'->>'orderid', version DESC
"""
# Before goods could be shipped, events did not tell how many were.
LAST_OF_EACH_BATCH = """
    SELECT DISTINCT ON (batch->>'ref')
           batch->>'ref' AS ref, sku, version, CAST(batch->>'qty' AS bigint) AS purchased,
           CAST(batch->>'allocated' AS bigint) AS allocated, coalesce(CAST(batch->>'shipped' AS bigint), 0) AS shipped,
           CAST(batch->>'eta' AS date) AS eta
    FROM events, json_array_elements(data->'batches') AS batch ORDER BY batch->>'ref', version DESC
"""
LAST_OF_EACH_PRODUCT = """
    SELECT DISTINCT ON (sku) sku, version, CAST(data->>'available' AS bigint) AS available,
           CAST(data->'waiting'->>'lines' AS bigint) AS waiting_lines,
           CAST(data->'waiting'->>'units' AS bigint) AS waiting_units
    FROM events ORDER BY sku, version DESC
"""

BREACHES = {
    "no batch gives more than it has, or less than nothing": """
        SELECT ref FROM batches WHERE allocated NOT BETWEEN 0 AND purchased
    """,
    "no batch has shipped what was not allocated": """
        SELECT ref FROM batches WHERE shipped NOT BETWEEN 0 AND allocated
    """,
    "what a batch has allocated and shipped is what the lines on it say": """
        SELECT ref FROM batches LEFT JOIN (
            SELECT batchref AS ref, sum(qty) AS allocated, sum(qty) FILTER (WHERE status = 'shipped') AS shipped
            FROM order_lines WHERE batchref IS NOT NULL GROUP BY batchref
        ) AS on_it USING (ref)
        WHERE (batches.allocated, batches.shipped) <> (coalesce(on_it.allocated, 0), coalesce(on_it.shipped, 0))
    """,
    "a line is allocated or shipped if it is on a batch, of its own sku": """
        SELECT orderid FROM order_lines LEFT JOIN batches ON ref = batchref
        WHERE (status IN ('allocated', 'shipped')) <> (ref IS NOT NULL) OR order_lines.sku <> batches.sku
    """,
    "an order has one line of a sku": """
        SELECT orderid FROM order_lines GROUP BY orderid, sku HAVING count(*) > 1
    """,
    "every quantity of a line is above zero": "SELECT orderid FROM order_lines WHERE qty <= 0",
    "no two waiting lines have the same place": """
        SELECT sku FROM order_lines WHERE status = 'waiting' GROUP BY sku, arrived HAVING count(*) > 1
    """,
    "no line waits that would fit": """
        SELECT orderid FROM order_lines WHERE status = 'waiting' AND EXISTS (
            SELECT FROM batches WHERE batches.sku = order_lines.sku AND purchased - allocated >= qty
        )
    """,
    "a product's available units are those of its batches": """
        SELECT sku FROM products LEFT JOIN (
            SELECT sku, sum(purchased - allocated) AS available FROM batches GROUP BY sku
        ) AS its USING (sku)
        WHERE products.available <> coalesce(its.available, 0)
    """,
    "a product's waiting lines and units are those of its lines": """
        SELECT sku FROM products LEFT JOIN (
            SELECT sku, count(*) AS lines, sum(qty) AS units FROM order_lines WHERE status = 'waiting' GROUP BY sku
        ) AS its USING (sku)
        WHERE (waiting_lines, waiting_units) <> (coalesce(its.lines, 0), coalesce(its.units, 0))
    """,
    "a product's versions have no gap": """
        SELECT sku FROM products FULL JOIN (
            SELECT sku, count(*) AS events, max(version) AS last FROM events GROUP BY sku
        ) AS its USING (sku)
        WHERE (coalesce(version, 0), coalesce(version, 0)) <> (coalesce(its.events, 0), coalesce(its.last, 0))
    """,
    "a product's events stand in the log in the order of their versions": """
        SELECT sku FROM (
            SELECT sku, version, lag(version) OVER (PARTITION BY sku ORDER BY position) AS before FROM events
        ) AS event WHERE version <= before
    """,
    "every transaction of the log ends with its last event, and with no other": """
        SELECT CAST(transaction AS text) FROM events GROUP BY transaction
        HAVING count(*) FILTER (WHERE last) <> 1 OR max(position) <> max(position) FILTER (WHERE last)
    """,
    "a line is what its last event says": f"""
        SELECT orderid FROM ({LAST_OF_EACH_LINE}) AS told FULL JOIN order_lines AS line USING (sku, orderid)
        WHERE (told.version, told.qty, told.status, told.batchref)
              IS DISTINCT FROM (line.version, line.qty, line.status, line.batchref)
    """,
    "a batch is what its last event says": f"""
        SELECT ref FROM ({LAST_OF_EACH_BATCH}) AS told FULL JOIN batches AS batch USING (ref)
        WHERE (told.sku, told.version, told.purchased, told.allocated, told.shipped, told.eta)
              IS DISTINCT FROM (batch.sku, batch.version, batch.purchased, batch.allocated, batch.shipped, batch.eta)
    """,
    "a product is what its last event says": f"""
        SELECT sku FROM ({LAST_OF_EACH_PRODUCT}) AS told FULL JOIN products USING (sku)
        WHERE (coalesce(told.version, 0), coalesce(told.available, 0), coalesce(told.waiting_lines, 0),
               coalesce(told.waiting_units, 0))
              IS DISTINCT FROM (products.version, products.available, products.waiting_lines, products.waiting_units)
    """,
    "every idempotency key has its outcome": """
        SELECT key FROM idempotency_keys WHERE outcome IS NULL OR effects IS NULL
    """,
}


class Finding(NamedTuple):
    """An invariant, how many times it is broken, and one of those it is broken for."""

    invariant: str
    breaches: int
    example: str | None


def audit(engine: Engine) -> Iterator[Finding]:
    """Check each invariant, all of them in one moment of the database, beside whoever writes to it.

    Raises StoreUnavailable, RetryableError.
    """
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with translated_errors(), snapshot.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for invariant, breaches in BREACHES.items():
            found = connection.execute(text(f"SELECT count(*), min(what) FROM ({breaches}) AS breach (what)")).one()
            yield Finding(invariant, *found)
