"""The subcommand that prints the addresses of the running service."""

from shlex import quote

import click

from allocation.entrypoints.cli.commands import command, json_option
from allocation.entrypoints.cli.exits import NotRun
from allocation.entrypoints.cli.output import print_json


@command()
@json_option("Print an object with the names and values.")
def env(as_json: bool) -> None:
    """Print the URLs of the running service as shell commands, for eval "$(allocation env)"."""
    from allocation.config import load_settings
    from allocation.local.running import service_urls

    folder = load_settings().data
    urls = service_urls(folder)
    if urls is None:
        raise NotRun(
            f"No service runs from the folder {folder}. Start it with allocation run, or set ALLOCATION_DATA to the "
            "folder of a service that runs"
        )
    if as_json:
        print_json(urls)
        return
    for name, value in urls.items():
        click.echo(f"export {name}={quote(value)}")
