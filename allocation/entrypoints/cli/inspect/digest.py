"""The subcommand that prints a fingerprint of the views."""

import click

from allocation.entrypoints.cli.commands import command, json_option
from allocation.entrypoints.cli.output import print_json, progress
from allocation.entrypoints.cli.settings import settings_with


@command()
@json_option("Print an object with the member digest.")
def digest(as_json: bool) -> None:
    """Print a fingerprint of the views.

    Equal views have equal fingerprints, for example before and after a rebuild. The command needs only Redis.
    """
    from allocation import components
    from readmodel.projector.digest import digest
    from readmodel.store.errors import ModelAbsent

    store = components.create_store(settings_with("redis_url"))
    live = store.generations().live
    if live is None:
        raise ModelAbsent
    with progress("keys") as bar:
        fingerprint = digest(store.redis, live, bar.reach)
    if as_json:
        print_json({"digest": fingerprint})
    else:
        click.echo(fingerprint)
