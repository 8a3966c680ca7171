"""The subcommands that run the processes of the service.

Each subcommand imports its own modules, so that a process loads only the code that it uses.
"""

import json
import logging
import os
import signal
import sys

import click

from allocation.config import Settings
from allocation.entrypoints.cli.commands import command
from allocation.entrypoints.cli.settings import settings_with
from allocation.shutdown import Shutdown
from readmodel import logs

logger = logging.getLogger(__name__)

BACKLOG = 4_096
"""The most open connections of a worker, including idle ones. Beyond them, it accepts none."""


@command()
def run() -> None:
    """Run the whole service in the foreground, until Ctrl-C.

    If DATABASE_URL or REDIS_URL is not set, start that server, with its data in the folder ALLOCATION_DATA.
    """
    from allocation.config import load_settings
    from allocation.entrypoints.cli.alone import require_alone
    from allocation.entrypoints.http.access_tokens import read_access_tokens
    from allocation.local.service import Service

    settings = load_settings()
    read_access_tokens(settings)
    say = logger.info if settings.log == logs.JSON else click.echo
    Service(settings, say=say, require_alone=require_alone).run()


@command()
def serve() -> None:
    """Serve commands and queries over HTTP."""
    from allocation.entrypoints.cli.alone import require_alone

    settings = settings_with("database_url", "redis_url")
    require_alone(settings)
    exec_web_server("allocation.bootstrap:create_web_app", settings)


@command()
def queries() -> None:
    """Serve only queries over HTTP, from Redis and without a database."""
    exec_web_server("allocation.bootstrap:create_query_app", settings_with("redis_url"), process="queries")


def exec_web_server(factory: str, settings: Settings, process: str = "serve", **options: str | int) -> None:
    """Replace this process with the web server. Each worker of the server calls `factory` to build its edge.

    `process` is the role of the workers in the log. They get the URLs of `settings` in their environment. `options`
    replace or add options of the web server.

    Raise BadSettings if the access tokens are bad or missing, CannotStart if the port is in use, and FolderUnusable if
    the workers can't keep their metrics.
    """
    from allocation.entrypoints.http.access_tokens import read_access_tokens
    from allocation.local.ports import require_free
    from readmodel.metrics import files

    read_access_tokens(settings)  # A worker reports a bad token only in its log, and then the web server ends.
    urls = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    os.environ.update({name: url for name, url in urls.items() if url is not None})
    os.environ["ALLOCATION_REDIS_PREFIX"] = settings.redis_prefix
    require_free(settings.host, settings.port)  # Otherwise two web servers could share the port without an error.
    folder = files.default_folder(settings.host, settings.port)
    files.make_empty(folder)  # Before the first worker: a worker that dies leaves its counters to the others.
    os.environ[files.VARIABLE] = str(folder)
    chosen = {
        "interface": "rsgi",
        "host": settings.host,
        "port": settings.port,
        "workers": settings.workers,
        "http": 1,
        "loop": "uvloop",
        "backlog": BACKLOG,
        "backpressure": BACKLOG,
        "log-level": "error",
        "log-config": file_with(json.dumps(logs.web_server_configuration(process, settings.log))),
        "workers-kill-timeout": 3,
    } | options
    words = [word for name, value in chosen.items() for word in (f"--{name}", str(value))]
    os.execv(
        sys.executable,
        [sys.executable, "-m", "granian", *words, "--no-ws", "--respawn-failed-workers", "--factory", factory],
    )


def file_with(text: str) -> str:
    """Return the path of a file that the next program of this process can read once. No file remains on the disk."""
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    with os.fdopen(writer, "w") as file:
        file.write(text)
    return f"/dev/fd/{reader}"


@command()
def relay() -> None:
    """Update the views, announce allocated lines, and mail out-of-stock notices."""
    from allocation import bootstrap
    from allocation.entrypoints.cli.alone import require_alone

    settings = settings_with("database_url", "redis_url")
    require_metrics_port(settings, settings.relay_metrics_port, "ALLOCATION_RELAY_METRICS_PORT")
    require_alone(settings)
    bootstrap.create_relay(settings, shutdown_on_signals()).run()


@command()
def consumer() -> None:
    """Execute commands from the Redis channel change_batch_quantity."""
    from allocation import bootstrap
    from allocation.entrypoints.cli.alone import require_alone

    settings = settings_with("database_url", "redis_url")
    require_metrics_port(settings, settings.consumer_metrics_port, "ALLOCATION_CONSUMER_METRICS_PORT")
    require_alone(settings)
    bootstrap.create_consumer(settings, shutdown_on_signals()).run()


def require_metrics_port(settings: Settings, port: int | None, setting: str) -> None:
    """Raise BadSettings if the access tokens are bad or missing, and CannotStart if the port of metrics is in use."""
    from allocation.entrypoints.http.access_tokens import read_access_tokens
    from allocation.local.ports import require_free
    from readmodel.metrics import files

    os.environ.pop(files.VARIABLE, None)  # The process has no siblings. It keeps its metrics in its own memory.
    if port is not None:
        read_access_tokens(settings)
        require_free(settings.host, port, setting=setting)


def shutdown_on_signals() -> Shutdown:
    shutdown = Shutdown()
    shutdown.on(signal.SIGINT, signal.SIGTERM)
    return shutdown
