"""The subcommands that compare the views with the database, and correct them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from allocation.entrypoints.cli.commands import command, json_option
from allocation.entrypoints.cli.exits import BadUsage, NotRun, Trouble
from allocation.entrypoints.cli.output import Progress, line_of_json, progress
from allocation.entrypoints.cli.settings import settings_with
from readmodel.logs import visible

if TYPE_CHECKING:
    from allocation.entrypoints.verification import Verification
    from readmodel.projector.verification.differences import Difference


MEMBERS = ("key", "field", "found", "expected")


def identifier(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Return the value. Raise BadParameter if no row can have this name."""
    if value is not None and value.encode(errors="replace") != value.encode(errors="surrogateescape"):
        raise click.BadParameter("must be UTF-8")
    return value


def with_scope(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        json_option("Print each difference as a line of JSON, with the members key, field, found and expected."),
        click.option(
            "--sample",
            type=click.IntRange(1, 1_000_000),
            help="Look only at this number of random products, batches and lines.",
        ),
        click.option("--order", "orderid", callback=identifier, help="Look only at the lines of this order."),
        click.option("--sku", callback=identifier, help="Look only at this product, its batches and its lines."),
    ):
        command = option(command)
    return command


@command(trouble="The views differ from the database.")
@with_scope
def verify(sku: str | None, orderid: str | None, sample: int | None, as_json: bool) -> None:
    """Compare the views with the database, while others read and write.

    Print each difference. The command changes nothing.
    """
    found = 0
    with verification(sku, orderid, sample) as (check, bar):
        for difference in check.differences():
            found += 1
            bar.echo(shown(difference, as_json))
        is_known = found or check.scope_exists()
    if not is_known:
        raise NotRun("The database has no such product or order. Correct --sku or --order")
    if found:
        raise Trouble(f"Differences: {found}. To correct them, run allocation repair")
    if not as_json:
        click.echo("The views match the database")


@command(trouble="After five rounds, the views still differ from the database.")
@with_scope
def repair(sku: str | None, orderid: str | None, sample: int | None, as_json: bool) -> None:
    """Correct the views where they differ from the database, while others read and write.

    Print each difference that verify would report, and correct it.
    """
    corrected = 0
    with verification(sku, orderid, sample) as (check, bar):
        for difference in check.repair():
            corrected += 1
            bar.echo(shown(difference, as_json))
    if not as_json:
        click.echo(f"Corrected differences: {corrected}")


@contextmanager
def verification(sku: str | None, orderid: str | None, sample: int | None) -> "Iterator[tuple[Verification, Progress]]":
    """Yield a verification of this scope, and the progress that it shows."""
    from allocation import bootstrap
    from allocation.entrypoints.cli.alone import require_alone
    from allocation.entrypoints.verification import Scope

    if sum(value is not None for value in (sku, orderid, sample)) > 1:
        raise BadUsage("Use only one of --sku, --order and --sample")
    settings = settings_with("database_url", "redis_url")
    require_alone(settings)
    with progress("rows") as bar:
        yield bootstrap.create_verification(settings, Scope(sku, orderid, sample), bar.add), bar


def shown(difference: "Difference", as_json: bool) -> str:
    members = dict(zip(MEMBERS, difference, strict=False))
    return line_of_json(members) if as_json else visible(str(difference))
