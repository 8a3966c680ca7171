"""The subcommands for the views."""

import click

from allocation.entrypoints.cli.settings import settings_with


@click.command()
def rebuild() -> None:
    """Rebuild the views from the log. Queries read the old views until the new views are complete."""
    from tqdm import tqdm

    from allocation import bootstrap
    from allocation.event_handlers import PROJECTION
    from readmodel.projector.rebuild import rebuild

    settings = settings_with("database_url", "redis_url")
    log = bootstrap.create_log(bootstrap.create_engine(settings, direct=True))
    store = bootstrap.create_store(bootstrap.create_redis(settings))
    with log.rebuild_lock() as mine, tqdm(unit=" events", unit_scale=True) as bar:
        if not mine:
            raise click.ClickException("Another rebuild is running")

        def progress(events: int, position: int, end: int) -> None:
            bar.total = events + end - position
            bar.update(events - bar.n)

        events = rebuild(store, log, PROJECTION, progress)
    click.echo(f"Rebuilt the views from {events} events")


@click.command()
def digest() -> None:
    """Print a fingerprint of the views. Equal views have equal fingerprints, for example before and after a rebuild."""
    from allocation import bootstrap
    from readmodel.projector.digest import digest

    redis = bootstrap.create_redis(settings_with("redis_url"))
    live = bootstrap.create_store(redis).generations().live
    if live is None:
        raise click.ClickException("Redis has no read model")
    click.echo(digest(redis, live))
