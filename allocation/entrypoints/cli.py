"""The commands of the console script `allocation`."""

import os
import signal
import sys
from pathlib import Path

import click

from allocation.stopping import Stop
from readmodel import logs

# What a command needs is imported by that command, so that a process loads nothing that it does not use.

EXPECTED = (
    ("allocation.adapters.csv_rows", "BadFile"),
    ("allocation.config", "BadSettings"),
    ("allocation.local.errors", "CannotStart"),
    ("allocation.service_layer.unit_of_work", "RetryableError"),
    ("allocation.service_layer.unit_of_work", "StoreUnavailable"),
    ("readmodel.rebuild", "RebuildFailed"),
    ("redis.exceptions", "RedisError"),
)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Commands(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        """Say what the user can do something about in one line. Anything else is a bug, and shows where."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if isinstance(error, expected_errors()):
                raise click.ClickException(" ".join(str(error).split())) from error
            raise


def expected_errors() -> tuple[type[Exception], ...]:
    """Those that can have been raised: of modules that this process has loaded, without loading any other."""
    return tuple(getattr(sys.modules[module], name) for module, name in EXPECTED if module in sys.modules)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """An order-line allocation service with a separate read store."""
    logs.configure()


def address(name: str) -> str:
    """DATABASE_URL or REDIS_URL: of the environment, else of the service that runs from the data folder."""
    from allocation.config import BadSettings, settings
    from allocation.local.running import addresses

    config = settings()
    given = {"DATABASE_URL": config.database_url, "REDIS_URL": config.redis_url}[name]
    found = given or (addresses(config.data) or {}).get(name)
    if found is None:
        raise BadSettings(f"{name} is not set, and no service runs from here: start one with make run")
    return found


@main.command()
def run() -> None:
    """Start everything on this machine and stay in the foreground."""
    from allocation.config import settings
    from allocation.local.service import Service

    Service(settings(), say=click.echo).run()


@main.command()
def env() -> None:
    """Print the addresses of the running service, for psql, redis-cli and other programs."""
    from allocation.config import settings
    from allocation.local.running import addresses

    found = addresses(settings().data)
    if found is None:
        raise click.ClickException("No service runs from here: start one with make run")
    for name, value in found.items():
        click.echo(f"{name}={value}")


@main.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from allocation.adapters.schema import migrate
    from allocation.adapters.unit_of_work import engine_for

    migrate(engine_for(address("DATABASE_URL")))


@main.command()
def serve() -> None:
    """Serve commands and queries over HTTP."""
    serve_app("allocation.entrypoints.http:create_app", "DATABASE_URL", "REDIS_URL")


@main.command()
def queries() -> None:
    """Serve queries alone over HTTP, from Redis alone."""
    serve_app("readmodel.http:create_app", "REDIS_URL")


def serve_app(factory: str, *needed: str) -> None:
    """Become the web server, which starts the workers."""
    from allocation.config import settings
    from allocation.local.ports import make_sure_of

    os.environ.update({name: address(name) for name in needed})
    config = settings()
    make_sure_of(config.host, config.port)  # The web server would share it with another one.
    options = {
        "--interface": "wsgi",
        "--host": config.host,
        "--port": config.port,
        "--workers": config.workers,
        "--blocking-threads": config.threads,
        "--http": 1,
        "--log-level": "error",
        "--workers-kill-timeout": 3,
    }
    words = [str(word) for option in options.items() for word in option]
    os.execv(
        sys.executable,
        [sys.executable, "-m", "granian", *words, "--no-ws", "--respawn-failed-workers", "--factory", factory],
    )


@main.command()
def relay() -> None:
    """Keep the views up to date from the log; announce allocated lines, and mail what is out of stock."""
    from allocation.config import settings
    from allocation.entrypoints.subscriptions import relay

    relay(address("DATABASE_URL"), address("REDIS_URL"), settings(), stop_on_signals()).run()


@main.command()
def consumer() -> None:
    """Take commands from the Redis channel change_batch_quantity."""
    from allocation import bootstrap
    from allocation.adapters.unit_of_work import engine_for
    from allocation.entrypoints.consumer import Consumer
    from readmodel.clients import client

    redis_url = address("REDIS_URL")
    bus = bootstrap.message_bus(engine_for(address("DATABASE_URL")), bootstrap.update_views(redis_url))
    Consumer(bus, client(redis_url, decode=False), stop_on_signals()).run()


def stop_on_signals() -> Stop:
    stop = Stop()
    stop.on(signal.SIGINT, signal.SIGTERM)
    return stop


@main.command()
def rebuild() -> None:
    """Rebuild the views from the log, beside the ones that are read, and switch to them."""
    from tqdm import tqdm

    from allocation.adapters.event_log import EventLog
    from allocation.adapters.unit_of_work import engine_for
    from readmodel.clients import client
    from readmodel.rebuild import rebuild
    from readmodel.store import Store

    log, store = EventLog(engine_for(address("DATABASE_URL"))), Store(client(address("REDIS_URL")))
    with log.exclusive() as alone, tqdm(unit=" events", unit_scale=True) as bar:
        if not alone:
            raise click.ClickException("Another rebuild is running")

        def progress(events: int, position: int, end: int) -> None:
            bar.total = events + end - position
            bar.update(events - bar.n)

        events = rebuild(store, log, progress)
    click.echo(f"Rebuilt the views from {events} events")


@main.command()
@click.argument("process", type=click.Choice(["relay", "consumer"]))
def check(process: str) -> None:
    """Tell whether any such process works, for health checks: the exit code is 1 where none does."""
    from allocation.entrypoints.check import CHANNELS, listeners
    from readmodel.clients import client

    count = listeners(client(address("REDIS_URL"), timeout=2.0), process)
    if not count:
        raise click.ClickException(f"No {process} listens on {CHANNELS[process]}")
    click.echo(f"{count} on {CHANNELS[process]}")


@main.command()
def digest() -> None:
    """Print a fingerprint of the views: the same for the same views, before a rebuild and after."""
    from readmodel.clients import client
    from readmodel.digest import digest
    from readmodel.store import Store

    redis = client(address("REDIS_URL"))
    live = Store(redis).generations().live
    if live is None:
        raise click.ClickException("There is no read model now")
    click.echo(digest(redis, live))


@main.command()
@click.option("--batches", type=FILE, required=True, help="CSV with ref,sku,qty,eta; may be gzipped (.gz).")
@click.option("--orders", type=FILE, required=True, help="CSV with orderid,sku,qty; may be gzipped (.gz).")
def load(batches: Path, orders: Path) -> None:
    """Send every row as a command. A second run changes nothing."""
    from tqdm import tqdm

    from allocation import bootstrap
    from allocation.adapters import bodies
    from allocation.adapters.csv_rows import count_rows
    from allocation.adapters.unit_of_work import engine_for
    from allocation.entrypoints.load import Loader

    bus = bootstrap.message_bus(engine_for(address("DATABASE_URL")), bootstrap.leave_to_the_relay)
    with tqdm(total=count_rows(batches) + count_rows(orders), unit=" rows", unit_scale=True) as bar:
        loader = Loader(bus, report=lambda line: tqdm.write(line, file=sys.stderr), done=bar.update)
        loader.load(batches, bodies.CreateBatch)
        loader.load(orders, bodies.Allocate)
    click.echo(f"Done with {bar.n} rows, {loader.bad_rows} of them bad")
    sys.exit(1 if loader.bad_rows else 0)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def allocate_from_csv(folder: Path) -> None:
    """Allocate FOLDER/orders.csv to FOLDER/batches.csv, into FOLDER/allocations.csv. A second run changes nothing."""
    from allocation.entrypoints.allocate_from_csv import allocate_from_csv

    summary = allocate_from_csv(folder, report=lambda line: click.echo(" ".join(line.split()), err=True))
    click.echo(
        f"Allocated {summary.allocated} of {summary.lines} lines, {summary.placed} of them now; "
        f"rows reported: {summary.reported}"
    )
    sys.exit(1 if summary.reported else 0)


if __name__ == "__main__":
    main()
