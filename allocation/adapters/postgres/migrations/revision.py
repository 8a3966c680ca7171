"""The revision of the database's schema. A web process reads it without the migration library, which saves 10 MB."""

from functools import cache
from importlib.resources import files

from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.errors import translated_errors

IS_MIGRATED = text("SELECT to_regclass('alembic_version') IS NOT NULL")
REVISION = text("SELECT version_num FROM alembic_version")


def is_current(engine: Engine) -> bool:
    """Return whether the schema is as new as this code, or newer. In a rolling upgrade, old processes keep working.

    Raises StoreUnavailable, RetryableError.
    """
    with translated_errors(), engine.connect() as connection:
        if not connection.execute(IS_MIGRATED).scalar_one():
            return False
        found = connection.execute(REVISION).scalar()
    return found is not None and found not in revisions()[:-1]


@cache
def revisions() -> list[str]:
    """Return the revisions that this code knows, the newest last. The name of each migration begins with its own."""
    scripts = files("allocation.adapters.postgres.migrations.versions").iterdir()
    return sorted(script.name.partition("_")[0] for script in scripts if script.name[0].isdigit())
