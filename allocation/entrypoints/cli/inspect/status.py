"""The subcommand that shows the state of the whole service."""

import shutil
from datetime import UTC, datetime

import click

from allocation.entrypoints.cli.commands import command, json_option
from allocation.entrypoints.cli.exits import Exit
from allocation.entrypoints.cli.output import print_json
from allocation.entrypoints.cli.settings import settings_with
from allocation.entrypoints.cli.version import installed_version


@command(trouble="Something is wrong. The last lines say what to do.")
@json_option("Print an object with the members findings, database, redis and views.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show the state of the whole service on one screen, what is wrong, and what to do.

    Each finding links to a runbook. The command answers within a few seconds, also if a store hangs or can't be
    reached, and then shows the other one.
    """
    from allocation import bootstrap
    from allocation.entrypoints.status.as_json import status_as_json
    from allocation.entrypoints.status.findings.find import find
    from allocation.entrypoints.status.gather import gather
    from allocation.entrypoints.status.screen import screen

    settings = settings_with("database_url", "redis_url")
    found = gather(bootstrap.create_status_sources(settings), installed_version(), lambda: datetime.now(UTC))
    findings = find(found, settings.views_stale)
    if as_json:
        print_json(status_as_json(found, findings))
    else:
        click.echo(screen(found, findings, shutil.get_terminal_size().columns))
    ctx.exit(Exit.TROUBLE if findings else Exit.DONE)
