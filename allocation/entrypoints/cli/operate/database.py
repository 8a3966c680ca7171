"""The subcommand that migrates the database."""

from allocation.entrypoints.cli.commands import command
from allocation.entrypoints.cli.settings import settings_with


@command()
def migrate() -> None:
    """Migrate the database to the newest schema.

    If DATABASE_MIGRATION_URL names another role than DATABASE_URL, the first one owns the tables, and the second one
    gets the privileges that the service needs. The command prints nothing, unless it has to wait.
    """
    from allocation import components
    from allocation.adapters.postgres.schema import migrate
    from allocation.urls import role_of

    settings = settings_with("database_url")
    url = settings.database_migration_url or settings.database_url
    role = role_of(settings.database_url or "")
    engine = components.create_engine(settings.model_copy(update={"database_url": url}), direct=True)
    migrate(engine, role if role != role_of(url or "") else None)
