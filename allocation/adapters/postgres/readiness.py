"""Whether commands can be executed now: the schema, the columns, the privileges, and a server that takes writes."""

from sqlalchemy import Engine, text

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.migrations.revision import require_current
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable

COLUMNS = {
    "products": statements.PRODUCT_COLUMNS,
    "batches": statements.BATCH_COLUMNS,
    "order_lines": statements.LINE_COLUMNS,
    "events": statements.EVENT_COLUMNS,
    "idempotency_keys": ("scope", "key", "fingerprint", "outcome", "effects"),
}
READ_NOTHING = text(
    "; ".join(f"SELECT {', '.join(columns)} FROM {table} LIMIT 0" for table, columns in COLUMNS.items())
)
IS_WRITABLE = text(f"""
    SELECT current_setting('transaction_read_only') = 'off',
           (SELECT string_agg(name, ', ') FROM unnest(CAST('{{{",".join(COLUMNS)}}}' AS text[])) AS name
            WHERE NOT has_table_privilege(name, 'INSERT'))
""")


def public_reason(error: Exception) -> str | None:
    """Return the part of an error that clients may see, or None: the driver's text can contain addresses."""
    reason = str(error).partition(":")[0]
    return reason if reason.startswith("the database ") else None


def reason_not_ready(engine: Engine) -> str | None:
    """Return why commands can't be executed now, or None."""
    try:
        with translated_errors(), engine.connect() as connection:
            require_current(connection)
            connection.execute(READ_NOTHING)
            writable, refused = connection.execute(IS_WRITABLE).one()
            if not writable:
                connection.invalidate()  # After a failover, a new session reaches the new primary.
                return "the database is read-only"
    except (StoreUnavailable, RetryableError) as error:
        return public_reason(error) or "the database can't be reached"
    return f"the database refuses access: no privilege to write to {refused}" if refused else None
