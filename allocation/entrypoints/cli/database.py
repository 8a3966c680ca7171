"""The subcommands for the database."""

import click

from allocation.entrypoints.cli.settings import settings_with


@click.command()
def migrate() -> None:
    """Migrate the database to the newest schema."""
    from allocation import bootstrap
    from allocation.adapters.postgres.schema import migrate

    migrate(bootstrap.create_engine(settings_with("database_url")))


@click.command()
def audit() -> None:
    """Check the invariants of the database. The exit code is 1 if an invariant is broken."""
    from allocation import bootstrap
    from allocation.adapters.postgres.audit import audit

    broken = 0
    for finding in audit(bootstrap.create_engine(settings_with("database_url"))):
        broken += finding.breaches > 0
        example = f" (for example {finding.example})" if finding.breaches else ""
        click.echo(f"{finding.breaches:>9} breaches of: {finding.invariant}{example}")
    if broken:
        raise click.ClickException(f"Broken invariants: {broken}")
