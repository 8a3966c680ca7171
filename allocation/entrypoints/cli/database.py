"""The subcommands for the database."""

import click

from allocation.entrypoints.cli.settings import settings_with
from readmodel.logs import visible


@click.command()
def migrate() -> None:
    """Migrate the database to the newest schema.

    If DATABASE_MIGRATION_URL names another role than DATABASE_URL, the first one owns the tables, and the second one
    gets the privileges that the service needs.
    """
    from allocation import components
    from allocation.adapters.postgres.schema import migrate
    from allocation.urls import role_of

    settings = settings_with("database_url")
    url = settings.database_migration_url or settings.database_url
    role = role_of(settings.database_url or "")
    engine = components.create_engine(settings.model_copy(update={"database_url": url}), direct=True)
    migrate(engine, role if role != role_of(url or "") else None)


@click.command()
def audit() -> None:
    """Check the invariants of the database. The exit code is 1 if an invariant is broken."""
    from allocation import components
    from allocation.adapters.postgres.checks.audit import audit

    broken = 0
    for finding in audit(components.create_engine(settings_with("database_url"), direct=True)):
        broken += finding.breaches > 0
        example = visible(str(finding.example))
        noun = "breach" if finding.breaches == 1 else "breaches"
        result = f"{finding.breaches} {noun}, for example {example}" if finding.breaches else "ok"
        click.echo(f"{finding.invariant}: {result}")
    if broken:
        raise click.ClickException(f"Broken invariants: {broken}")
