"""The console script `allocation`, and the section of each command."""

import logging

import click

from allocation.config import log_form
from allocation.entrypoints.cli.inspect.audit import audit
from allocation.entrypoints.cli.inspect.check import check
from allocation.entrypoints.cli.inspect.completion import completion
from allocation.entrypoints.cli.inspect.digest import digest
from allocation.entrypoints.cli.inspect.env import env
from allocation.entrypoints.cli.inspect.status import status
from allocation.entrypoints.cli.load.csv_files import allocate_from_csv, load
from allocation.entrypoints.cli.operate.access_tokens import access_token
from allocation.entrypoints.cli.operate.database import migrate
from allocation.entrypoints.cli.operate.dead_letters import dead
from allocation.entrypoints.cli.operate.verification import repair, verify
from allocation.entrypoints.cli.operate.views import adopt, rebuild
from allocation.entrypoints.cli.program import NAME, Program
from allocation.entrypoints.cli.run.processes import consumer, queries, relay, run, serve
from allocation.entrypoints.cli.version import print_version
from readmodel import logs

SECTIONS = {
    "Run": (run, serve, queries, relay, consumer),
    "Operate": (migrate, rebuild, adopt, verify, repair, dead, access_token),
    "Load": (load, allocate_from_csv),
    "Inspect": (status, check, audit, digest, env, completion),
}
"""The sections of the help, with their commands."""


@click.group(NAME, cls=Program, sections=SECTIONS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="Show the version of the service, of its schema and of its views, and exit.",
)
def main() -> None:
    """Run, operate, load and inspect an order-line allocation service with a separate read store.

    Each command explains itself: allocation COMMAND -h. The settings are environment variables.
    """
    logs.configure(click.get_current_context().invoked_subcommand or NAME, log_form())
    logging.getLogger("alembic").setLevel(logging.WARNING)  # At INFO it logs each of its plugins.


if __name__ == "__main__":
    main()
