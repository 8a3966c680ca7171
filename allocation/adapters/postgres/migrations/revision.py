"""Reads the revision of the database schema without Alembic, which saves 10 MB in each web process."""

from functools import cache
from importlib.resources import files

from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.driver.errors import NOT_MIGRATED, translated_errors
from allocation.service_layer.unit_of_work import StoreUnavailable

IS_MIGRATED = text("SELECT to_regclass('alembic_version') IS NOT NULL")
REVISION = text("SELECT version_num FROM alembic_version")


class SchemaGate:
    """Refuses each unit of work until the database is migrated. Later calls send no query."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._passed = False

    def check(self) -> None:
        """Raise StoreUnavailable if the schema is older than this code, or RetryableError."""
        if self._passed:
            return
        with translated_errors(), self._engine.connect() as connection:
            require_current(connection)
        self._passed = True


def require_current(connection: Connection) -> None:
    """Raise StoreUnavailable if the schema is older than this code.

    A newer schema passes: in a rolling upgrade, old processes run on the newer schema.
    """
    found = connection.execute(REVISION).scalar() if connection.execute(IS_MIGRATED).scalar_one() else None
    if found is None or found in revisions()[:-1]:
        connection.invalidate()  # Its role may have had another search_path when the session began.
        raise StoreUnavailable(NOT_MIGRATED, NOT_MIGRATED)


@cache
def revisions() -> list[str]:
    """Return the revisions of this code, the newest last. The file name of a migration begins with its revision."""
    scripts = files("allocation.adapters.postgres.migrations.versions").iterdir()
    return sorted(script.name.partition("_")[0] for script in scripts if script.name[0].isdigit())
