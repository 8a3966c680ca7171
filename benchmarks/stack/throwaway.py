"""Throw-away servers: PostgreSQL with durable commits, Redis, and processes of the service on top of them."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import migrate
from allocation.local.ports import free_port
from allocation.local.postgres import Postgres
from allocation.local.redis import Redis
from benchmarks.stack.requests import is_ready

ROOT = Path(__file__).parents[2]
CLI = "allocation.entrypoints.cli"
SERVICE = "allocation.bootstrap:create_web_app"

Process = subprocess.Popen[bytes]


class WebServer(NamedTuple):
    port: int
    process: Process


@dataclass(frozen=True)
class Stack:
    """The two servers. `environment` has the variables that processes of the service need."""

    environment: dict[str, str]
    engine: Engine

    @property
    def database_url(self) -> str:
        return self.environment["DATABASE_URL"]

    @property
    def redis_url(self) -> str:
        return self.environment["REDIS_URL"]

    def start(self, module: str, *arguments: str, **variables: str) -> Process:
        """Start `python -m <module>` with additional environment variables."""
        program = [sys.executable, "-m", module, *arguments]
        environment = os.environ | self.environment | variables
        return subprocess.Popen(
            program, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    @contextmanager
    def relay(self) -> Iterator[Process]:
        with terminating(self.start(CLI, "relay")) as process:
            yield process

    @contextmanager
    def web_server(self, factory: str = SERVICE, **variables: str) -> Iterator[WebServer]:
        """Serve the service or another app with the web server and the settings of `allocation serve`."""
        port = free_port()
        with terminating(
            self.start("benchmarks.apps.serve", factory, ALLOCATION_PORT=str(port), **variables)
        ) as process:
            wait_until(lambda: is_ready(port), process)
            yield WebServer(port, process)


@contextmanager
def throwaway_stack() -> Iterator[Stack]:
    """Start both servers, with the schema in the database. Delete their data at the end."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as cleanup:
        database, redis = Postgres(Path(folder) / "postgres", free_port()), Redis(Path(folder) / "redis", free_port())
        for server in (database, redis):
            child = server.prepare()
            child.start()
            cleanup.callback(child.stop, 10)
            server.wait_until_ready(child)
        engine = create_postgres_engine(database.url, connections=20, direct=True)  # It executes VACUUM.
        cleanup.callback(engine.dispose)
        migrate(engine)
        engine.dispose()
        yield Stack({"DATABASE_URL": database.url, "REDIS_URL": redis.url}, engine)


@contextmanager
def terminating(process: Process) -> Iterator[Process]:
    try:
        yield process
    finally:
        process.terminate()
        process.wait(15)


def wait_until(done: Callable[[], bool], process: Process) -> None:
    """Poll until `done` returns true. Raises RuntimeError if the process ends before."""
    while not done():
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with code {process.returncode}")
        time.sleep(0.05)
