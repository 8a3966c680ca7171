"""The subcommands for the views."""

from typing import TYPE_CHECKING

import click

from allocation.entrypoints.cli.settings import settings_with
from readmodel.logs import visible

if TYPE_CHECKING:
    from allocation.adapters.postgres.log.event_log import EventLog
    from readmodel.store.store import Store


@click.command()
def rebuild() -> None:
    """Rebuild the views from the log, in the newest format. Queries read the old views until the end."""
    from tqdm import tqdm

    from allocation.event_handlers import PROJECTION
    from readmodel.projector.rebuild import rebuild
    from readmodel.store.formats import newest

    target = newest(settings_with("database_url", "redis_url").history)
    log, store = log_and_store()
    with log.rebuild_lock() as mine, tqdm(unit=" events", unit_scale=True) as bar:
        if not mine:
            raise click.ClickException("Another rebuild is running")

        def progress(events: int, position: int, end: int) -> None:
            bar.total = events + end - position
            bar.update(events - bar.n)

        rebuilt = rebuild(store, log, PROJECTION, progress, target)
    click.echo(visible(str(rebuilt)))


@click.command()
def adopt() -> None:
    """Declare that the database was restored from a copy. The relay then rebuilds the views."""
    from readmodel.projector.follow import readable_progress
    from readmodel.projector.usable_generations import usable_generations
    from readmodel.store.errors import UnknownFormat

    log, store = log_and_store()
    try:
        live = usable_generations(store).live
    except UnknownFormat as error:
        raise click.ClickException(str(error)) from error
    progress = readable_progress(store, live)
    history = log.adopt(progress.buckets if progress else ())
    if live:
        store.suspect(live)
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


@click.command()
def digest() -> None:
    """Print a fingerprint of the views. Equal views have equal fingerprints, for example before and after a rebuild."""
    from allocation import components
    from readmodel.projector.digest import digest

    store = components.create_store(settings_with("redis_url"))
    live = store.generations().live
    if live is None:
        raise click.ClickException("Redis has no read model")
    click.echo(digest(store.redis, live))
