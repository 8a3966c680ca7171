"""The subcommands for the views."""

import click

from allocation.entrypoints.cli.settings import settings_with
from readmodel.logs import visible


@click.command()
def rebuild() -> None:
    """Rebuild the views from the log. Queries read the old views until the new views are complete."""
    from tqdm import tqdm

    from allocation import bootstrap
    from allocation.event_handlers import PROJECTION
    from readmodel.projector.rebuild import rebuild
    from readmodel.store.records.presence import require_alone

    settings = settings_with("database_url", "redis_url")
    log = bootstrap.create_log(settings, bootstrap.create_engine(settings, direct=True))
    store = bootstrap.create_store(settings)
    require_alone(store.redis, store.names, log.database())
    with log.rebuild_lock() as mine, tqdm(unit=" events", unit_scale=True) as bar:
        if not mine:
            raise click.ClickException("Another rebuild is running")

        def progress(events: int, position: int, end: int) -> None:
            bar.total = events + end - position
            bar.update(events - bar.n)

        rebuilt = rebuild(store, log, PROJECTION, progress)
    click.echo(visible(str(rebuilt)))


@click.command()
def adopt() -> None:
    """Declare that the database was restored from a copy. The relay then rebuilds the views."""
    from allocation import bootstrap
    from readmodel.store.records.presence import require_alone

    settings = settings_with("database_url", "redis_url")
    log = bootstrap.create_log(settings, bootstrap.create_engine(settings, direct=True))
    store = bootstrap.create_store(settings)
    require_alone(store.redis, store.names, log.database())
    live = store.generations().live
    progress = store.progress(live) if live else None
    history = log.adopt(progress.buckets if progress else ())
    if live:
        store.suspect(live)
    click.echo(f"The log begins epoch {history.epoch}. The relay rebuilds the views")


@click.command()
def digest() -> None:
    """Print a fingerprint of the views. Equal views have equal fingerprints, for example before and after a rebuild."""
    from allocation import bootstrap
    from readmodel.projector.digest import digest

    store = bootstrap.create_store(settings_with("redis_url"))
    live = store.generations().live
    if live is None:
        raise click.ClickException("Redis has no read model")
    click.echo(digest(store.redis, live))
