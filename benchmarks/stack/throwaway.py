"""A throw-away service: durable PostgreSQL, Redis, and the processes that a program asks for."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import migrate
from allocation.local.ports import free_port
from allocation.local.postgres import Postgres
from allocation.local.redis import Redis

ROOT = Path(__file__).parent.parent
CLI = "allocation.entrypoints.cli"
SERVICE = "allocation.bootstrap:create_web_app"


@dataclass(frozen=True)
class Stack:
    environment: dict[str, str]
    engine: Engine

    def started(self, module: str, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", module, *arguments]
        environment = os.environ | self.environment | variables
        return subprocess.Popen(
            program, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    @contextmanager
    def running(self, command: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """`allocation <command>`, until the end of the block."""
        with until_the_end(self.started(CLI, *command.split(), **variables)) as process:
            yield process

    @contextmanager
    def serving(self) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
        """A web server with one worker, and its port."""
        port = free_port()
        with self.running("serve", ALLOCATION_PORT=str(port), ALLOCATION_WORKERS="1") as process:
            wait_until(lambda: is_ready(port), process)
            yield port, process

    @contextmanager
    def serving_as_configured(self, factory: str = SERVICE, **variables: str) -> Iterator[int]:
        """The port of a web server as `allocation serve` starts it, for the service or for another app."""
        port = free_port()
        process = self.started("benchmarks.serve", factory, ALLOCATION_PORT=str(port), **variables)
        with until_the_end(process):
            wait_until(lambda: is_ready(port), process)
            yield port


@contextmanager
def until_the_end(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.terminate()
        process.wait(15)


def wait_until(done: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Poll; raises RuntimeError where the process that should bring it about has ended."""
    while not done():
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with code {process.returncode}")
        time.sleep(0.05)


@contextmanager
def throw_away() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ending:
        servers = Postgres(Path(folder) / "postgres", free_port()), Redis(Path(folder) / "redis", free_port())
        for server in servers:
            child = server.prepare()
            child.start()
            ending.callback(child.stop, 10)
            server.wait_until_ready(child)
        database, redis = servers
        engine = create_postgres_engine(database.url, connections=20)
        ending.callback(engine.dispose)
        migrate(engine)
        engine.dispose()
        yield Stack({"DATABASE_URL": database.url, "REDIS_URL": redis.url}, engine)


def is_ready(port: int) -> bool:
    try:
        status, answer = request(port, "GET", "/health/ready")
    except OSError:
        return False
    return status == 200 and set(answer["roles"].values()) == {"ready"}


def request(port: int, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON of an answer; a text as it is."""
    connection = HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, orjson.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        data = response.read()
        return response.status, orjson.loads(data) if "json" in response.headers["Content-Type"] else data.decode()
    finally:
        connection.close()
