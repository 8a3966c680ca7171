"""Reports why the service can't execute commands now: the schema, a privilege, the disk, or a read-only server."""

from sqlalchemy import Engine, text

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.migrations.revision import require_current
from allocation.service_layer.unit_of_work import Busy, RetryableError, StoreUnavailable

COLUMNS = {
    "products": statements.PRODUCT_COLUMNS,
    "batches": (*statements.BATCH_COLUMNS, "used_up"),
    "order_lines": statements.LINE_COLUMNS,
    "events": statements.EVENT_COLUMNS,
    "events_position_seq": ("last_value",),  # The trigger of the fence reads it.
    "log": ("identity", "epoch"),
    "idempotency_keys": ("scope", "key", "fingerprint", "outcome", "effects"),
}
PRIVILEGES = {
    "products": ("INSERT", "UPDATE", "DELETE"),
    "batches": ("INSERT", "UPDATE"),
    "order_lines": ("INSERT", "UPDATE"),
    "events": ("INSERT",),
    "idempotency_keys": ("INSERT", "UPDATE"),
}
"""The privileges that commands need in addition to SELECT."""
READ_NOTHING = text(
    "; ".join(f"SELECT {', '.join(columns)} FROM {table} LIMIT 0" for table, columns in COLUMNS.items())
)
IS_WRITABLE = text("SELECT current_setting('transaction_read_only') = 'off'")
NEEDED = ", ".join(f"('{table}', '{name}')" for table, names in PRIVILEGES.items() for name in names)
WRITE_TEMPORARY_FILE = text("""
    SET LOCAL work_mem = '64kB';
    SELECT count(*) FROM (SELECT repeat('x', 100) || n AS row FROM generate_series(1, 2000) AS n ORDER BY row) AS sorted
""")
"""Its sort does not fit into the memory. It fails if the disk is full, and it changes nothing."""
READ_REFUSED = text(f"""
    SELECT concat(privilege, ' on ', name) FROM (VALUES {NEEDED}) AS needed (name, privilege)
    WHERE NOT has_table_privilege(name, privilege)
""")


# While the check waits for one table, it holds locks on others. A migration waits for 500 ms, so the check waits less.
LIMIT_WAIT = text("SET LOCAL lock_timeout = '100ms'")
LOCK_TABLES = text(f"LOCK TABLE {', '.join(PRIVILEGES)} IN ROW EXCLUSIVE MODE")
"""Commands need this lock, and it does not conflict with theirs."""
UNREACHABLE = "the database can't be reached"
LOCKED = "another session locks a table"


def reason_not_ready(engine: Engine) -> str | None:
    """Return why commands can't be executed now, or None."""
    try:
        try:
            return find_reason(engine)
        except RetryableError:  # The server has ended this session, perhaps long ago. A new one shows its state now.
            return find_reason(engine)
    except Busy:
        return LOCKED
    except StoreUnavailable as error:
        return error.reason or UNREACHABLE
    except RetryableError:
        return UNREACHABLE


def find_reason(engine: Engine) -> str | None:
    """Return the reason, or None. Raise Busy, StoreUnavailable or RetryableError."""
    with translated_errors(), engine.connect() as connection:
        connection.execute(LIMIT_WAIT)
        require_current(connection)
        connection.execute(READ_NOTHING)
        if not connection.execute(IS_WRITABLE).scalar_one():
            connection.invalidate()  # After a failover, a new session reaches the new primary.
            return "the database is read-only"
        connection.execute(WRITE_TEMPORARY_FILE)
        refused = connection.execute(READ_REFUSED).scalars().all()
        if not refused:
            connection.execute(LOCK_TABLES)
    return f"the database refuses access: no privilege for {', '.join(refused)}" if refused else None
