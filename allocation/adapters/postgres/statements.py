"""The SQL of the write side. Only the migrations define the tables.

The statements accept arrays of rows. So the number of statements does not depend on the number of commands that share
the transaction.
"""

from collections.abc import Sequence

from allocation.service_layer.unit_of_work import LockWait

CREATE_PRODUCTS = """
    INSERT INTO products (sku)
    SELECT sku FROM unnest(%(skus)s::text[]) AS sku ORDER BY sku COLLATE "C"
    ON CONFLICT DO NOTHING
"""

DELETE_PRODUCTS = "DELETE FROM products WHERE sku = ANY(%(skus)s::text[])"

LOCKED_SKUS = "current_setting('allocation.locked_skus')::text[]"


def lock_products(skus: str) -> str:
    """Return a statement that locks the products of an array of SKUs.

    Another transaction can create a product, a batch or a line after this statement. So the statement keeps the SKUs
    that it has locked, in a setting of the transaction, and READ_STATE reads only their products.
    """
    return f"""
        SELECT set_config('allocation.locked_skus', coalesce(array_agg(sku), '{{}}')::text, true) FROM (
            SELECT sku FROM products WHERE sku = ANY({skus}) ORDER BY sku FOR NO KEY UPDATE
        ) AS locked
    """


LOCK_PRODUCTS = lock_products("%(skus)s::text[]")
LOCK_PRODUCTS_OF_NAMES = lock_products("""%(skus)s::text[] || ARRAY(
    SELECT sku FROM batches WHERE ref = ANY(%(owners_of)s::text[])
    UNION SELECT sku FROM order_lines WHERE orderid = ANY(%(orderids)s::text[])
)""")

# `as_batch` and `as_line` rely on the order of their columns.
BATCH_COLUMNS = ("ref", "sku", "purchased", "eta", "created_qty", "created_eta", "allocated", "shipped", "version")
LINE_COLUMNS = ("orderid", "sku", "qty", "arrived", "status", "batchref", "placed", "version")
EVENT_COLUMNS = ("sku", "version", "type", "last", "data")
PRODUCT_COLUMNS = ("sku", "version", "available", "waiting_lines", "waiting_units")

READ_HISTORY = "SELECT identity::text AS identity, epoch FROM log"
READ_PRODUCTS = f"""
    SELECT {", ".join(PRODUCT_COLUMNS)} FROM products WHERE sku = ANY({LOCKED_SKUS})
"""
READ_OPEN_BATCHES = f"""
    SELECT {", ".join(BATCH_COLUMNS)} FROM batches WHERE sku = ANY({LOCKED_SKUS}) AND NOT used_up
"""
READ_BATCHES = f"""
    SELECT {", ".join(BATCH_COLUMNS)} FROM batches
    WHERE ref = ANY(%(refs)s::text[] || ARRAY(SELECT batchref FROM lines))
"""
READ_LINES = f"""
    SELECT {", ".join(LINE_COLUMNS)}
    FROM unnest(%(line_orderids)s::text[], %(line_skus)s::text[]) AS wanted (orderid, sku)
    JOIN order_lines USING (orderid, sku)
"""
READ_ORDERS = f"""
    SELECT {", ".join(LINE_COLUMNS)} FROM order_lines WHERE orderid = ANY(%(orderids)s::text[])
"""


def rows_of(statement: str, columns: Sequence[str]) -> str:
    """Return an expression: the rows of the statement as a JSON array of arrays, or NULL if it returns no row."""
    return f"(SELECT json_agg(json_build_array({', '.join(columns)})) FROM ({statement}) AS found)"


def read_state(lines: str) -> str:
    """Return a statement that reads the history, the locked products, their open batches, the named batches, and lines.

    It can return a batch twice, and batches of products that are not locked. The result is one JSON text, because the
    driver returns only the last result of a string.
    """
    return f"""
        WITH lines AS MATERIALIZED ({lines})
        SELECT json_build_array(
            {rows_of(READ_HISTORY, ("identity", "epoch"))},
            {rows_of(READ_PRODUCTS, PRODUCT_COLUMNS)},
            {rows_of(f"{READ_OPEN_BATCHES} UNION ALL {READ_BATCHES}", BATCH_COLUMNS)},
            {rows_of("SELECT * FROM lines", LINE_COLUMNS)}
        )::text
    """


READ_STATE = read_state(READ_LINES)
READ_STATE_WITH_ORDERS = read_state(f"{READ_LINES} UNION ALL {READ_ORDERS}")

# The recursion finds each quantity of the waiting lines, up to `largest`. For each quantity, the statement reads only
# the oldest lines. So its cost does not depend on the number of lines that don't fit.
READ_WAITING_LINES = f"""
    WITH RECURSIVE quantity (qty) AS (
        (SELECT qty FROM order_lines
         WHERE sku = %(sku)s AND status = 'waiting' AND qty <= %(largest)s ORDER BY qty LIMIT 1)
        UNION ALL
        SELECT (SELECT larger.qty FROM order_lines AS larger
                WHERE larger.sku = %(sku)s AND larger.status = 'waiting'
                  AND larger.qty > quantity.qty AND larger.qty <= %(largest)s ORDER BY larger.qty LIMIT 1)
        FROM quantity WHERE quantity.qty IS NOT NULL
    )
    SELECT line.* FROM quantity CROSS JOIN LATERAL (
        SELECT {", ".join(LINE_COLUMNS)} FROM order_lines
        WHERE sku = %(sku)s AND status = 'waiting' AND qty = quantity.qty AND arrived > %(after)s
        ORDER BY arrived LIMIT least(%(units)s / quantity.qty, %(page)s)
    ) AS line
    ORDER BY line.arrived LIMIT %(page)s
"""

READ_LATEST_LINES = f"""
    SELECT {", ".join(LINE_COLUMNS)} FROM order_lines
    WHERE batchref = %(batchref)s AND status = 'allocated' AND placed < %(before)s ORDER BY placed DESC LIMIT %(page)s
"""

# A transaction that moves thousands of lines must stay atomic. So it gets longer time-outs than other transactions.
EXTEND_TIMEOUTS = """
    SELECT set_config('statement_timeout', '10min', true),
           set_config('idle_in_transaction_session_timeout', '10min', true)
"""

WRITE_PRODUCTS = """
    UPDATE products SET version = new.version, available = new.available,
                        waiting_lines = new.waiting_lines, waiting_units = new.waiting_units
    FROM unnest(%(sku)s::text[], %(version)s::bigint[], %(available)s::bigint[],
                %(waiting_lines)s::bigint[], %(waiting_units)s::bigint[])
         AS new (sku, version, available, waiting_lines, waiting_units)
    WHERE products.sku = new.sku
"""

# The sort makes all transactions lock new references in the same order. If lines wait for the SKU, the repository adds
# the batches one by one. Then a deadlock is possible, and the service retries the transaction.
ADD_BATCHES = f"""
    INSERT INTO batches ({", ".join(BATCH_COLUMNS)})
    SELECT * FROM unnest(%(ref)s::text[], %(sku)s::text[], %(purchased)s::int[], %(eta)s::date[],
                         %(created_qty)s::int[], %(created_eta)s::date[],
                         %(allocated)s::int[], %(shipped)s::int[], %(version)s::bigint[])
         AS new ({", ".join(BATCH_COLUMNS)})
    ORDER BY new.ref COLLATE "C"
"""

WRITE_BATCHES = """
    UPDATE batches SET purchased = new.purchased, eta = new.eta, allocated = new.allocated, shipped = new.shipped,
                       version = new.version
    FROM unnest(%(ref)s::text[], %(purchased)s::int[], %(eta)s::date[], %(allocated)s::int[],
                %(shipped)s::int[], %(version)s::bigint[])
         AS new (ref, purchased, eta, allocated, shipped, version)
    WHERE batches.ref = new.ref
"""

WRITE_LINES = f"""
    INSERT INTO order_lines ({", ".join(LINE_COLUMNS)})
    SELECT * FROM unnest(%(orderid)s::text[], %(sku)s::text[], %(qty)s::int[],
                         %(arrived)s::bigint[], %(status)s::text[], %(batchref)s::text[],
                         %(placed)s::bigint[], %(version)s::bigint[])
    ON CONFLICT (orderid, sku) DO UPDATE
    SET qty = excluded.qty, arrived = excluded.arrived, status = excluded.status, batchref = excluded.batchref,
        placed = excluded.placed, version = excluded.version
"""

APPEND_EVENTS = """
    INSERT INTO events (sku, version, type, last, data)
    SELECT sku, version, type, last, data::json
    FROM unnest(%(sku)s::text[], %(version)s::bigint[], %(type)s::text[],
                %(last)s::boolean[], %(data)s::text[]) AS new (sku, version, type, last, data)
"""

# The last position that this session has assigned, and the history after the commit, with which the statement travels.
READ_OWN_POSITION = "SELECT currval('events_position_seq'), identity::text, epoch FROM log"

FIND_EVENTS = """
    SELECT position, data::text
    FROM unnest(%(sku)s::text[], %(first)s::bigint[], %(last)s::bigint[]) AS wanted (sku, first, last)
    JOIN events ON events.sku = wanted.sku AND events.version BETWEEN wanted.first AND wanted.last ORDER BY position
"""

WAITS = {LockWait.FIRST: ("300ms", "300ms"), LockWait.PROBE: ("10ms", "10ms"), LockWait.SECOND: ("200ms", "10ms")}
"""The lock time-outs for a product and for an idempotency key. For other waits, that of the engine applies."""


def limit_wait_for_products(wait: LockWait) -> str:
    return f"SET LOCAL lock_timeout = '{WAITS[wait][0]}'"


def limit_wait_for_keys(wait: LockWait) -> str:
    return f"SET LOCAL lock_timeout = '{WAITS[wait][1]}'"
