"""Reads the revision of the database schema without Alembic, which saves 10 MB in each web process."""

from functools import cache
from importlib.resources import files

from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.errors import translated_errors

IS_MIGRATED = text("SELECT to_regclass('alembic_version') IS NOT NULL")
REVISION = text("SELECT version_num FROM alembic_version")


def is_current(engine: Engine) -> bool:
    """Return whether the schema has the newest revision of this code, or a newer revision.

    In a rolling upgrade, old processes run on the newer schema. Raise RetryableError or StoreUnavailable for the
    driver's errors.
    """
    with translated_errors(), engine.connect() as connection:
        if not connection.execute(IS_MIGRATED).scalar_one():
            return False
        found = connection.execute(REVISION).scalar()
    return found is not None and found not in revisions()[:-1]


@cache
def revisions() -> list[str]:
    """Return the revisions of this code, the newest last. The file name of a migration begins with its revision."""
    scripts = files("allocation.adapters.postgres.migrations.versions").iterdir()
    return sorted(script.name.partition("_")[0] for script in scripts if script.name[0].isdigit())
