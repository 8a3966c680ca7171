"""Migrates the database schema, and sets the time-outs of the service's sessions."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from allocation.adapters.postgres.driver.engine import TIMEOUTS
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.service_layer.unit_of_work import Busy, RetryableError, StoreUnavailable

logger = logging.getLogger(__name__)

MIGRATION_LOCK = 0x2A13 << 48
WAIT_FOR_LOCK = "500ms"
PAUSE = 1.0
DONE_WITHIN = 600.0

T = TypeVar("T")


def migrate(engine: Engine) -> None:
    """Upgrade the schema to the newest revision, and set the time-outs. There are no downgrades.

    One process migrates at a time, and the others wait. A migration waits only WAIT_FOR_LOCK for each lock, because all
    commands would queue behind it. Then it rolls back and retries. Raise StoreUnavailable after DONE_WITHIN seconds.
    """
    with the_only_migration(engine):
        patiently(upgrade, engine)
        with translated_errors(), engine.begin() as connection:
            limit_waits(connection)


def upgrade(engine: Engine) -> None:
    with translated_errors(), engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_FOR_LOCK}'"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def the_only_migration(engine: Engine) -> Iterator[None]:
    """Hold the lock of the migration. If another process holds it, log that and wait."""
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with translated_errors(), autocommit.connect() as connection:
        patiently(lock_migration, connection)
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})


def lock_migration(connection: Connection) -> None:
    """Raises Busy."""
    if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": MIGRATION_LOCK}).scalar_one():
        raise Busy("another migration is running")


def patiently(work: Callable[[T], None], argument: T) -> None:
    """Repeat the work until it gets its locks."""
    retrying = Retrying(
        retry=retry_if_exception_type((Busy, RetryableError)),
        stop=stop_after_delay(DONE_WITHIN),
        wait=wait_fixed(PAUSE),
        before_sleep=log_wait,
        reraise=True,
    )
    try:
        retrying(work, argument)
    except (Busy, RetryableError) as error:
        raise StoreUnavailable(f"The migration found no moment without locks: {error}") from error


def log_wait(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        logger.info("The migration waits: %s", state.outcome.exception())


def limit_waits(connection: Connection) -> None:
    """Set the time-outs of all later sessions of this role in this database: a safety net for other programs.

    A dump does not contain them. So `migrate` sets them on each call, and not only once in a migration.
    """
    database = connection.execute(text("SELECT quote_ident(current_database())")).scalar_one()
    for setting, value in TIMEOUTS.items():
        connection.execute(text(f"ALTER ROLE CURRENT_USER IN DATABASE {database} SET {setting} = '{value}'"))


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", "allocation.adapters.postgres:migrations")
    return config
