from alembic import context
from sqlalchemy import Connection, text

MIGRATION_LOCK = 0x2A13 << 48

connection: Connection = context.config.attributes["connection"]
with connection.begin():
    # Several processes may start at once: the second finds the work done. No time-out: a migration takes what it takes.
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    context.configure(connection=connection)
    context.run_migrations()
