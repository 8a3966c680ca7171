"""The subcommands for access tokens."""

from datetime import UTC, datetime, timedelta

import click

from allocation.entrypoints.cli.commands import Group, json_option
from allocation.entrypoints.cli.exits import BadUsage
from allocation.entrypoints.cli.output import print_json
from readmodel.web.edge.access import SCOPES, BadTokens, new_token

MOST_DAYS = 36_500


@click.group("access-token", cls=Group)
def access_token() -> None:
    """Create access tokens."""


@access_token.command()
@click.option("--name", required=True, help="Name the client. Events store this name as their actor.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="Allow the client this kind of request. You can repeat this option.",
)
@click.option("--days", type=click.IntRange(1, MOST_DAYS), help="Let the token expire after this number of days.")
@json_option("Print an object with the members token and line.")
def new(name: str, scopes: tuple[str, ...], days: int | None, as_json: bool) -> None:
    """Print a new access token, and the line that makes the service accept it.

    Give the token to the client. Add the line to the file of ALLOCATION_ACCESS_TOKENS_FILE, and restart the service.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        secret, token = new_token(name, scopes, now + timedelta(days=days) if days else None)
    except BadTokens as error:
        raise BadUsage(f"--name: {error}") from error
    if as_json:
        print_json({"token": secret, "line": str(token)})
        return
    click.echo("Give this token to the client. Nobody can show it again:", err=True)
    click.echo(secret)
    click.echo("Add this line to ALLOCATION_ACCESS_TOKENS_FILE, and restart the service:", err=True)
    click.echo(str(token))
