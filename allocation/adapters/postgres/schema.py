"""Migrates the database schema."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from allocation.adapters.postgres.driver.advisory_locks import advisory_lock
from allocation.adapters.postgres.driver.engine import TIMEOUTS
from allocation.adapters.postgres.driver.errors import message_of, translated_errors
from allocation.adapters.postgres.migrations.privileges import grant
from allocation.adapters.postgres.migrations.revision import IS_MIGRATED, REVISION, revisions
from allocation.service_layer.unit_of_work import Busy, RetryableError, StoreUnavailable

logger = logging.getLogger(__name__)

MIGRATION_LOCK = 0x2A13 << 48
WAIT_FOR_LOCK = "500ms"
PAUSE = 1.0
DONE_WITHIN = 600.0


class MigrationFailed(Exception):
    """No migration can upgrade this schema. The schema is unchanged."""


def migrate(engine: Engine, service_role: str | None = None) -> None:
    """Upgrade the schema to the newest revision, and set the time-outs of the role. There are no downgrades.

    If the service uses another role, give it the privileges that it needs.

    One process migrates at a time, and the others wait. A migration waits only WAIT_FOR_LOCK for each lock, because all
    commands would queue behind it. Then it rolls back and retries. Raise StoreUnavailable after DONE_WITHIN seconds.
    Raise MigrationFailed if the schema is not that of any revision.
    """
    retrying = Retrying(
        retry=retry_if_exception_type((Busy, RetryableError)),
        stop=stop_after_delay(DONE_WITHIN),
        wait=wait_fixed(PAUSE),
        before_sleep=log_wait,
        reraise=True,
    )
    try:
        retrying(try_to_migrate, engine, service_role)
    except (Busy, RetryableError) as error:
        raise StoreUnavailable(f"The migration did not succeed within {DONE_WITHIN:.0f} s: {error}") from error
    except DBAPIError as error:
        raise MigrationFailed(f"The schema is not that of its revision: {message_of(error.orig)}") from error


def try_to_migrate(engine: Engine, service_role: str | None) -> None:
    """Raise Busy if another migration is running or a lock is not free. Raise RetryableError."""
    with the_only_migration(engine), translated_errors(), engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_FOR_LOCK}'"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        require_known(connection)
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        limit_waits(connection)
        if service_role is not None:
            grant(connection, service_role)


def require_known(connection: Connection) -> None:
    """Raise MigrationFailed if the database has another revision than those of this code, or several of them."""
    found = connection.execute(REVISION).scalars().all() if connection.execute(IS_MIGRATED).scalar_one() else None
    if found is not None and (len(found) != 1 or found[0] not in revisions()):
        raise MigrationFailed(f"The database has the revisions {found}. This version knows {', '.join(revisions())}")


@contextmanager
def the_only_migration(engine: Engine) -> Iterator[None]:
    """Hold the lock of the migration. Raise Busy if another process holds it."""
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with (
        translated_errors(),
        autocommit.connect() as connection,
        advisory_lock(connection, MIGRATION_LOCK) as is_mine,
    ):
        if not is_mine:
            raise Busy("another migration is running")
        yield


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
