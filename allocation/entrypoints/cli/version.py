"""The option `--version`."""

from importlib.metadata import PackageNotFoundError, version

import click


def print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(description())
        ctx.exit()


def description() -> str:
    """Return the version of the service, and of everything that it stores outside its own processes."""
    from allocation.adapters.postgres.migrations.revision import revisions
    from readmodel.store.formats import NEWEST
    from readmodel.store.names import PLAIN

    return (
        f"allocation {installed_version()} "
        f"(schema {revisions()[-1]}, Redis Functions {PLAIN.library}, views in format {NEWEST})"
    )


def installed_version() -> str:
    try:
        return version("allocation")
    except PackageNotFoundError:
        return "of a folder that is not installed"
