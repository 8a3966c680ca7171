"""The subcommands for access tokens."""

from datetime import UTC, datetime, timedelta

import click

from readmodel.web.edge.access import SCOPES, BadTokens, new_token

MOST_DAYS = 36_500


@click.group("access-token")
def access_token() -> None:
    """Create access tokens."""


@access_token.command()
@click.option("--name", required=True, help="The name of the client. Events store it as the actor.")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="May be repeated.")
@click.option("--days", type=click.IntRange(1, MOST_DAYS), help="The token expires after so many days.")
def new(name: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Print a new access token, and the line that makes the service accept it."""
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        secret, token = new_token(name, scopes, now + timedelta(days=days) if days else None)
    except BadTokens as error:
        raise click.ClickException(str(error)) from error
    click.echo("Give this token to the client. Nobody can show it again:", err=True)
    click.echo(secret)
    click.echo("Add this line to ALLOCATION_ACCESS_TOKENS_FILE, and restart the service:", err=True)
    click.echo(str(token))
