"""The subcommands that replace the views."""

from typing import TYPE_CHECKING

import click

from allocation.entrypoints.cli.commands import command, json_option
from allocation.entrypoints.cli.exits import NotRun
from allocation.entrypoints.cli.output import print_json, progress
from allocation.entrypoints.cli.settings import settings_with
from readmodel.logs import visible

if TYPE_CHECKING:
    from allocation.adapters.postgres.log.event_log import EventLog
    from readmodel.projector.rebuild import Rebuilt
    from readmodel.store.store import Store


@command()
@json_option("Print an object with the members events and former: what differed in the former views.")
def rebuild(as_json: bool) -> None:
    """Rebuild the views from the log, in the newest format.

    Queries read the old views until the end. The report says how the old views differed from the new ones.
    """
    from allocation.event_handlers import PROJECTION
    from readmodel.projector.rebuild import rebuild
    from readmodel.store.formats import newest

    target = newest(settings_with("database_url", "redis_url").history)
    log, store = log_and_store()
    with log.rebuild_lock() as mine, progress("events") as bar:
        if not mine:
            raise NotRun("Another rebuild is running. Wait until it has ended")
        rebuilt = rebuild(
            store, log, PROJECTION, lambda events, position, end: bar.reach(events, events + end - position), target
        )
    if as_json:
        print_json(members_of(rebuilt))
    else:
        click.echo(visible(str(rebuilt)))


def members_of(rebuilt: "Rebuilt") -> dict[str, object]:
    former = rebuilt.former
    differences = None if former is None else {"registers": former.registers, "complete": former.complete}
    return {"events": rebuilt.events, "former": differences}


@command()
@json_option("Print an object with the member epoch.")
def adopt(as_json: bool) -> None:
    """Declare that the database was restored from a copy.

    The log begins a new epoch, and the relay rebuilds the views.
    """
    from readmodel.projector.follow import readable_progress
    from readmodel.projector.usable_generations import usable_generations

    log, store = log_and_store()
    live = usable_generations(store).live
    progress = readable_progress(store, live)
    history = log.adopt(progress.buckets if progress else ())
    if live:
        store.suspect(live)
    if as_json:
        print_json({"epoch": history.epoch})
    else:
        click.echo(f"The log begins epoch {history.epoch}. The relay rebuilds the views")


def log_and_store() -> "tuple[EventLog, Store]":
    """Return the log and the views. Raise RedisShared if another service uses the names in Redis."""
    from allocation import components
    from readmodel.store.records.presence import require_alone

    settings = settings_with("database_url", "redis_url")
    log = components.create_log(settings, components.create_engine(settings, direct=True))
    store = components.create_store(settings)
    require_alone(store.redis, store.names, log.database())
    return log, store
