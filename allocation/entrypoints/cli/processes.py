"""The subcommands that run the processes of the service.

Each subcommand imports its own modules, so that a process loads only the code that it uses.
"""

import os
import signal
import sys

import click

from allocation.entrypoints.cli.settings import settings_with
from allocation.shutdown import Shutdown


@click.command()
def run() -> None:
    """Run the whole service in the foreground. Start PostgreSQL and Redis if their URLs are not set."""
    from allocation.config import load_settings
    from allocation.local.service import Service

    Service(load_settings(), say=click.echo).run()


@click.command()
def serve() -> None:
    """Serve commands and queries over HTTP."""
    exec_web_server("allocation.bootstrap:create_web_app", "database_url", "redis_url")


@click.command()
def queries() -> None:
    """Serve only queries over HTTP. This process needs Redis but no database."""
    exec_web_server("allocation.bootstrap:create_query_app", "redis_url")


def exec_web_server(factory: str, *urls: str) -> None:
    """Replace this process with the web server. Each worker of the server calls `factory` to build its app.

    `urls` names the settings that the workers require: `database_url`, `redis_url`. Raise BadSettings if a URL is
    missing, and CannotStart if the server can't listen on the port.
    """
    from allocation.local.ports import require_free

    settings = settings_with(*urls)
    os.environ.update({name.upper(): getattr(settings, name) for name in urls})
    require_free(settings.host, settings.port)  # Otherwise two web servers could share the port without an error.
    options = {
        "--interface": "wsgi",
        "--host": settings.host,
        "--port": settings.port,
        "--workers": settings.workers,
        "--blocking-threads": settings.threads,
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
    """Update the views, announce allocated lines, and mail out-of-stock notices."""
    from allocation import bootstrap

    bootstrap.create_relay(settings_with("database_url", "redis_url"), shutdown_on_signals()).run()


@click.command()
def consumer() -> None:
    """Execute commands from the Redis channel change_batch_quantity."""
    from allocation import bootstrap

    bootstrap.create_consumer(settings_with("database_url", "redis_url"), shutdown_on_signals()).run()


def shutdown_on_signals() -> Shutdown:
    shutdown = Shutdown()
    shutdown.on(signal.SIGINT, signal.SIGTERM)
    return shutdown
