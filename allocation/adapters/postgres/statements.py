"""The SQL of the write side. Only the migrations define the tables.

The statements accept arrays of rows. So the number of statements does not depend on the number of commands that share
the transaction.
"""

from sqlalchemy import TextClause, text

from allocation.service_layer.unit_of_work import LockWait

CREATE_PRODUCTS = text("""
    INSERT INTO products (sku)
    SELECT sku FROM unnest(CAST(:skus AS text[])) AS sku ORDER BY sku COLLATE "C"
    ON CONFLICT DO NOTHING RETURNING sku
""")

DELETE_PRODUCTS = text("DELETE FROM products WHERE sku = ANY(CAST(:skus AS text[]))")

# This statement returns each product as it is after the lock. Later statements must read the batches and lines. A join
# in this statement would return them as they were before the lock. The history of the log is that before the lock, so a
# transaction that waited can have a former one. The views refuse it then, and the relay applies its events.
LOCK_PRODUCTS = text("""
    SELECT sku, version, available, waiting_lines, waiting_units, CAST(log.identity AS text) AS identity, log.epoch
    FROM products LEFT JOIN log ON true WHERE sku = ANY(CAST(:skus AS text[]))
    ORDER BY sku FOR NO KEY UPDATE OF products
""")

# BATCH_COLUMNS lists the fields of Batch in their order. `as_line` relies on the order of LINE_COLUMNS.
BATCH_COLUMNS = ("ref", "sku", "purchased", "eta", "created_qty", "created_eta", "allocated", "shipped", "version")
LINE_COLUMNS = ("orderid", "sku", "qty", "arrived", "status", "batchref", "placed", "version")
EVENT_COLUMNS = ("sku", "version", "type", "last", "data")
PRODUCT_COLUMNS = ("sku", "version", "available", "waiting_lines", "waiting_units")

READ_OPEN_BATCHES = text(f"""
    SELECT {", ".join(BATCH_COLUMNS)} FROM batches WHERE sku = ANY(CAST(:skus AS text[])) AND NOT used_up
""")

READ_BATCHES = text(f"""
    SELECT {", ".join(BATCH_COLUMNS)} FROM batches WHERE ref = ANY(CAST(:refs AS text[]))
""")

READ_OWNERS = text("SELECT sku FROM batches WHERE ref = ANY(CAST(:refs AS text[]))")

READ_LINES = text(f"""
    SELECT {", ".join(LINE_COLUMNS)}
    FROM unnest(CAST(:orderids AS text[]), CAST(:skus AS text[])) AS wanted (orderid, sku)
    JOIN order_lines USING (orderid, sku)
""")

READ_SKUS_OF_ORDERS = text("SELECT sku FROM order_lines WHERE orderid = ANY(CAST(:orderids AS text[]))")

READ_ORDERS = text(f"""
    SELECT {", ".join(LINE_COLUMNS)} FROM order_lines WHERE orderid = ANY(CAST(:orderids AS text[]))
""")

# The recursion finds each quantity of the waiting lines, up to `largest`. For each quantity, the statement reads only
# the oldest lines. So its cost does not depend on the number of lines that don't fit.
READ_WAITING_LINES = text(f"""
    WITH RECURSIVE quantity (qty) AS (
        (SELECT qty FROM order_lines
         WHERE sku = :sku AND status = 'waiting' AND qty <= :largest ORDER BY qty LIMIT 1)
        UNION ALL
        SELECT (SELECT larger.qty FROM order_lines AS larger
                WHERE larger.sku = :sku AND larger.status = 'waiting'
                  AND larger.qty > quantity.qty AND larger.qty <= :largest ORDER BY larger.qty LIMIT 1)
        FROM quantity WHERE quantity.qty IS NOT NULL
    )
    SELECT line.* FROM quantity CROSS JOIN LATERAL (
        SELECT {", ".join(LINE_COLUMNS)} FROM order_lines
        WHERE sku = :sku AND status = 'waiting' AND qty = quantity.qty AND arrived > :after
        ORDER BY arrived LIMIT least(:units / quantity.qty, :page)
    ) AS line
    ORDER BY line.arrived LIMIT :page
""")

READ_LATEST_LINES = text(f"""
    SELECT {", ".join(LINE_COLUMNS)} FROM order_lines
    WHERE batchref = :batchref AND status = 'allocated' AND placed < :before ORDER BY placed DESC LIMIT :page
""")

# A transaction that moves thousands of lines must stay atomic. So it gets longer time-outs than other transactions.
EXTEND_TIMEOUTS = text("""
    SELECT set_config('statement_timeout', '10min', true),
           set_config('idle_in_transaction_session_timeout', '10min', true)
""")

WRITE_PRODUCTS = text("""
    UPDATE products SET version = new.version, available = new.available,
                        waiting_lines = new.waiting_lines, waiting_units = new.waiting_units
    FROM unnest(CAST(:sku AS text[]), CAST(:version AS bigint[]), CAST(:available AS bigint[]),
                CAST(:waiting_lines AS bigint[]), CAST(:waiting_units AS bigint[]))
         AS new (sku, version, available, waiting_lines, waiting_units)
    WHERE products.sku = new.sku
""")

# The sort makes all transactions lock new references in the same order. If lines wait for the SKU, the repository adds
# the batches one by one. Then a deadlock is possible, and the service retries the transaction.
ADD_BATCHES = text(f"""
    INSERT INTO batches ({", ".join(BATCH_COLUMNS)})
    SELECT * FROM unnest(CAST(:ref AS text[]), CAST(:sku AS text[]), CAST(:purchased AS int[]), CAST(:eta AS date[]),
                         CAST(:created_qty AS int[]), CAST(:created_eta AS date[]),
                         CAST(:allocated AS int[]), CAST(:shipped AS int[]), CAST(:version AS bigint[]))
         AS new ({", ".join(BATCH_COLUMNS)})
    ORDER BY new.ref COLLATE "C"
""")

WRITE_BATCHES = text("""
    UPDATE batches SET purchased = new.purchased, eta = new.eta, allocated = new.allocated, shipped = new.shipped,
                       version = new.version
    FROM unnest(CAST(:ref AS text[]), CAST(:purchased AS int[]), CAST(:eta AS date[]), CAST(:allocated AS int[]),
                CAST(:shipped AS int[]), CAST(:version AS bigint[]))
         AS new (ref, purchased, eta, allocated, shipped, version)
    WHERE batches.ref = new.ref
""")

WRITE_LINES = text(f"""
    INSERT INTO order_lines ({", ".join(LINE_COLUMNS)})
    SELECT * FROM unnest(CAST(:orderid AS text[]), CAST(:sku AS text[]), CAST(:qty AS int[]),
                         CAST(:arrived AS bigint[]), CAST(:status AS text[]), CAST(:batchref AS text[]),
                         CAST(:placed AS bigint[]), CAST(:version AS bigint[]))
    ON CONFLICT (orderid, sku) DO UPDATE
    SET qty = excluded.qty, arrived = excluded.arrived, status = excluded.status, batchref = excluded.batchref,
        placed = excluded.placed, version = excluded.version
""")

APPEND_EVENTS = text("""
    INSERT INTO events (sku, version, type, last, data)
    SELECT sku, version, type, last, CAST(data AS json)
    FROM unnest(CAST(:sku AS text[]), CAST(:version AS bigint[]), CAST(:type AS text[]),
                CAST(:last AS boolean[]), CAST(:data AS text[])) AS new (sku, version, type, last, data)
""")

FIND_EVENTS = text("""
    SELECT CAST(data AS text)
    FROM unnest(CAST(:sku AS text[]), CAST(:first AS bigint[]), CAST(:last AS bigint[])) AS wanted (sku, first, last)
    JOIN events ON events.sku = wanted.sku AND events.version BETWEEN wanted.first AND wanted.last ORDER BY position
""")

# A transaction executes this statement before it locks anything else. So it never waits for a key while it holds a
# product.
LOCK_KEYS = text("""
    INSERT INTO idempotency_keys (scope, key, fingerprint)
    SELECT * FROM unnest(CAST(:scope AS text[]), CAST(:key AS text[]), CAST(:fingerprint AS text[]))
                  AS new (scope, key, fingerprint)
    ORDER BY new.scope COLLATE "C", new.key COLLATE "C"
    ON CONFLICT DO NOTHING RETURNING scope, key
""")

TIME_OUTS = {
    LockWait.FIRST: ("300ms", "300ms"),
    LockWait.PROBE: ("10ms", "10ms"),
    LockWait.SECOND: ("200ms", "10ms"),
}
"""The lock time-out for a product, and for an idempotency key. The default is that of the session."""
WAITING = {
    (statement, wait): text(f"SET LOCAL lock_timeout = '{time_out}'; {statement.text}")
    for wait, (for_products, for_keys) in TIME_OUTS.items()
    for statement, time_out in ((LOCK_KEYS, for_keys), (CREATE_PRODUCTS, for_products), (LOCK_PRODUCTS, for_products))
}


def with_wait(statement: TextClause, wait: LockWait) -> TextClause:
    """Return the statement with the time-out. A separate statement for the time-out would cost another round trip."""
    return WAITING.get((statement, wait), statement)


READ_OUTCOMES = text("""
    SELECT scope, key, fingerprint, outcome, effects
    FROM unnest(CAST(:scope AS text[]), CAST(:key AS text[])) AS wanted (scope, key)
    JOIN idempotency_keys USING (scope, key)
""")

STORE_OUTCOMES = text("""
    UPDATE idempotency_keys SET outcome = CAST(new.outcome AS json), effects = CAST(new.effects AS json)
    FROM unnest(CAST(:scope AS text[]), CAST(:key AS text[]), CAST(:outcome AS text[]), CAST(:effects AS text[]))
         AS new (scope, key, outcome, effects)
    WHERE idempotency_keys.scope = new.scope AND idempotency_keys.key = new.key
""")

DELETE_OLD_KEYS = text("""
    DELETE FROM idempotency_keys WHERE (scope, key) IN (
        SELECT scope, key FROM idempotency_keys WHERE created_at < now() - make_interval(secs => :age)
        ORDER BY created_at LIMIT :step FOR UPDATE SKIP LOCKED
    )
""")
