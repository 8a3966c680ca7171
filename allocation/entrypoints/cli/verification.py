"""The subcommands that compare the views with the database, and correct them."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

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
        click.option("--sku", callback=identifier, help="Only this product, its batches and its lines."),
        click.option("--order", "orderid", callback=identifier, help="Only the lines of this order."),
        click.option(
            "--sample",
            type=click.IntRange(1, 1_000_000),
            help="Only this number of random products, batches and lines.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print each difference as a line of JSON."),
    ):
        command = option(command)
    return command


@click.command()
@with_scope
def verify(sku: str | None, orderid: str | None, sample: int | None, as_json: bool) -> None:
    """Compare the views with the database, while others read and write. The exit code is 1 if a register differs."""
    found = 0
    check = verification(sku, orderid, sample)
    for difference in check.differences():
        found += 1
        show(difference, as_json)
    if not found and not check.scope_exists():
        raise click.ClickException("The database has no such product or order")
    if found:
        raise click.ClickException(f"Differences: {found}. To correct them, run allocation repair")
    if not as_json:
        click.echo("The views match the database")


@click.command()
@with_scope
def repair(sku: str | None, orderid: str | None, sample: int | None, as_json: bool) -> None:
    """Correct the registers that differ from the database, while others read and write."""
    corrected = 0
    for difference in verification(sku, orderid, sample).repair():
        corrected += 1
        show(difference, as_json)
    if not as_json:
        click.echo(f"Corrected differences: {corrected}")


def verification(sku: str | None, orderid: str | None, sample: int | None) -> "Verification":
    from allocation import bootstrap
    from allocation.entrypoints.cli.alone import require_alone
    from allocation.entrypoints.verification import Scope

    if sum(value is not None for value in (sku, orderid, sample)) > 1:
        raise click.UsageError("Use only one of --sku, --order and --sample")
    settings = settings_with("database_url", "redis_url")
    require_alone(settings)
    return bootstrap.create_verification(settings, Scope(sku, orderid, sample))


def show(difference: "Difference", as_json: bool) -> None:
    # The client decodes bytes that are not UTF-8 as surrogates. orjson refuses surrogates.
    click.echo(json.dumps(dict(zip(MEMBERS, difference, strict=False))) if as_json else visible(str(difference)))
