"""Which schema the database has. A web process looks without the library that migrates: 10 MB less in each."""

from functools import cache
from importlib.resources import files

from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.errors import translated_errors

IS_MIGRATED = text("SELECT to_regclass('alembic_version') IS NOT NULL")
REVISION = text("SELECT version_num FROM alembic_version")


def is_current(engine: Engine) -> bool:
    """Whether the schema is as new as this code, or newer: in a rolling upgrade the old processes go on."""
    with translated_errors(), engine.connect() as connection:
        if not connection.execute(IS_MIGRATED).scalar_one():
            return False
        found = connection.execute(REVISION).scalar()
    return found is not None and found not in revisions()[:-1]


@cache
def revisions() -> list[str]:
    """The revisions that this code knows, the newest last: what the names of their files begin with."""
    scripts = files("allocation.adapters.postgres.migrations.versions").iterdir()
    return sorted(script.name.partition("_")[0] for script in scripts if script.name[0].isdigit())
