"""The commands that become a process of the service."""

import os
import signal
import sys

import click

from allocation.entrypoints.cli.store_urls import address
from allocation.shutdown import Stop

# What a command needs is imported by that command, so that a process loads nothing that it does not use.


@click.command()
def run() -> None:
    """Start everything on this machine and stay in the foreground."""
    from allocation.config import settings
    from allocation.local.service import Service

    Service(settings(), say=click.echo).run()


@click.command()
def serve() -> None:
    """Serve commands and queries over HTTP."""
    serve_app("allocation.entrypoints.http.app:create_app", "DATABASE_URL", "REDIS_URL")


@click.command()
def queries() -> None:
    """Serve queries alone over HTTP, from Redis alone."""
    serve_app("readmodel.web.app:create_app", "REDIS_URL")


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


@click.command()
def relay() -> None:
    """Keep the views up to date from the log; announce allocated lines, and mail what is out of stock."""
    from allocation.config import settings
    from allocation.entrypoints.deployed_relay import relay

    relay(address("DATABASE_URL"), address("REDIS_URL"), settings(), stop_on_signals()).run()


@click.command()
def consumer() -> None:
    """Take commands from the Redis channel change_batch_quantity."""
    from allocation import bootstrap
    from allocation.adapters.postgres.unit_of_work import engine_for
    from allocation.entrypoints.consumer import Consumer
    from readmodel.store.client import client

    redis_url = address("REDIS_URL")
    bus = bootstrap.message_bus(engine_for(address("DATABASE_URL")), bootstrap.update_views(redis_url))
    # Without retries: a client that subscribed again by itself would hide that messages were lost.
    Consumer(bus, client(redis_url, retries=0, decode=False), stop_on_signals()).run()


def stop_on_signals() -> Stop:
    stop = Stop()
    stop.on(signal.SIGINT, signal.SIGTERM)
    return stop
