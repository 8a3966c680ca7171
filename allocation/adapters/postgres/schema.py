"""Migrates the database schema, and sets the time-outs of the service's sessions."""

import logging

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.driver.errors import translated_errors

logging.getLogger("alembic").setLevel(logging.WARNING)  # At INFO, Alembic logs every step.

MIGRATION_LOCK = 0x2A13 << 48
TIMEOUTS = {"lock_timeout": "5s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "30s"}


def migrate(engine: Engine) -> None:
    """Upgrade the schema to the newest revision, and set the time-outs. Processes may call this concurrently.

    There are no downgrades. Raise RetryableError or StoreUnavailable for the driver's errors.
    """
    with translated_errors(), engine.begin() as connection:
        # A migration may exceed the time-outs, and so may the wait for another process's migration.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        limit_waits(connection)


def limit_waits(connection: Connection) -> None:
    """Set the time-outs of all later sessions of this role in this database.

    The server stores them, so they also apply behind a connection pooler. A dump does not contain them. So `migrate`
    sets them on each call, and not only once in a migration.
    """
    database = connection.execute(text("SELECT quote_ident(current_database())")).scalar_one()
    for setting, value in TIMEOUTS.items():
        connection.execute(text(f"ALTER ROLE CURRENT_USER IN DATABASE {database} SET {setting} = '{value}'"))


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", "allocation.adapters.postgres:migrations")
    return config
