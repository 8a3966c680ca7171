"""The commands that do a piece of work and end."""

import sys
from pathlib import Path

import click

from allocation.entrypoints.cli.store_urls import address

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

# What a command needs is imported by that command, so that a process loads nothing that it does not use.


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from allocation.adapters.postgres.schema import migrate
    from allocation.adapters.postgres.unit_of_work import engine_for

    migrate(engine_for(address("DATABASE_URL")))


@click.command()
def env() -> None:
    """Print the addresses of the running service, for psql, redis-cli and other programs."""
    from allocation.config import settings
    from allocation.local.running import addresses

    found = addresses(settings().data)
    if found is None:
        raise click.ClickException("No service runs from here: start one with make run")
    for name, value in found.items():
        click.echo(f"{name}={value}")


@click.command()
@click.argument("process", type=click.Choice(["relay", "consumer"]))
def check(process: str) -> None:
    """Tell whether any such process works, for health checks: the exit code is 1 where none does."""
    from allocation.entrypoints.cli.health import CHANNELS, listeners
    from readmodel.store.client import client

    count = listeners(client(address("REDIS_URL"), timeout=2.0), process)
    if not count:
        raise click.ClickException(f"No {process} listens on {CHANNELS[process]}")
    click.echo(f"{count} on {CHANNELS[process]}")


@click.command()
def rebuild() -> None:
    """Rebuild the views from the log, beside the ones that are read, and switch to them."""
    from tqdm import tqdm

    from allocation.adapters.postgres.event_log import EventLog
    from allocation.adapters.postgres.unit_of_work import engine_for
    from readmodel.projector.rebuild import rebuild
    from readmodel.store.client import client
    from readmodel.store.store import Store

    log, store = EventLog(engine_for(address("DATABASE_URL"))), Store(client(address("REDIS_URL")))
    with log.exclusive() as alone, tqdm(unit=" events", unit_scale=True) as bar:
        if not alone:
            raise click.ClickException("Another rebuild is running")

        def progress(events: int, position: int, end: int) -> None:
            bar.total = events + end - position
            bar.update(events - bar.n)

        events = rebuild(store, log, progress)
    click.echo(f"Rebuilt the views from {events} events")


@click.command()
def digest() -> None:
    """Print a fingerprint of the views: the same for the same views, before a rebuild and after."""
    from readmodel.projector.digest import digest
    from readmodel.store.client import client
    from readmodel.store.store import Store

    redis = client(address("REDIS_URL"))
    live = Store(redis).generations().live
    if live is None:
        raise click.ClickException("There is no read model now")
    click.echo(digest(redis, live))


@click.command()
def audit() -> None:
    """Check what must always be true of the database; the exit code is 1 where something is not."""
    from allocation.adapters.postgres.audit import audit
    from allocation.adapters.postgres.unit_of_work import engine_for

    broken = 0
    for finding in audit(engine_for(address("DATABASE_URL"))):
        broken += finding.breaches > 0
        instance = f" (one is {finding.example})" if finding.breaches else ""
        click.echo(f"{finding.breaches:>9} against: {finding.invariant}{instance}")
    if broken:
        raise click.ClickException(f"{broken} of the rules are broken")


@click.command()
@click.option("--batches", type=FILE, required=True, help="CSV with ref,sku,qty,eta; may be gzipped (.gz).")
@click.option("--orders", type=FILE, required=True, help="CSV with orderid,sku,qty; may be gzipped (.gz).")
def load(batches: Path, orders: Path) -> None:
    """Send every row as a command. A second run changes nothing."""
    from tqdm import tqdm

    from allocation import bootstrap
    from allocation.adapters.csv.rows import count_rows
    from allocation.adapters.postgres.unit_of_work import engine_for
    from allocation.adapters.schemas import commands as bodies
    from allocation.entrypoints.load import Loader, search_for_cycles_rarely

    search_for_cycles_rarely()
    bus = bootstrap.message_bus(engine_for(address("DATABASE_URL")), bootstrap.leave_to_the_relay)
    with tqdm(total=count_rows(batches) + count_rows(orders), unit=" rows", unit_scale=True) as bar:
        loader = Loader(bus, report=lambda line: tqdm.write(line, file=sys.stderr), done=bar.update)
        loader.load(batches, bodies.CreateBatch)
        loader.load(orders, bodies.Allocate)
    click.echo(f"Done with {bar.n} rows, {loader.bad_rows} of them bad")
    sys.exit(1 if loader.bad_rows else 0)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def allocate_from_csv(folder: Path) -> None:
    """Allocate FOLDER/orders.csv to FOLDER/batches.csv, into FOLDER/allocations.csv. A second run changes nothing."""
    from allocation.entrypoints.allocate_from_csv import allocate_from_csv

    summary = allocate_from_csv(folder, report=lambda line: click.echo(" ".join(line.split()), err=True))
    click.echo(
        f"Allocated {summary.allocated} of {summary.lines} lines, {summary.placed} of them now; "
        f"out of stock: {summary.short}; bad rows: {summary.refused}"
    )
    sys.exit(1 if summary.refused else 0)
