"""A throw-away service: durable PostgreSQL, Redis, and the processes that a program asks for."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine

from allocation.adapters.schema import migrate
from allocation.adapters.unit_of_work import engine_for
from allocation.local.ports import free_port
from allocation.local.postgres import Postgres
from allocation.local.redis import Redis


@dataclass(frozen=True)
class Stack:
    environment: dict[str, str]
    engine: Engine

    @contextmanager
    def running(self, command: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """`allocation <command>`, until the end of the block."""
        program = [sys.executable, "-m", "allocation.entrypoints.cli", *command.split()]
        process = subprocess.Popen(program, env=os.environ | self.environment | variables, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(15)

    @contextmanager
    def serving(self) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
        """A web server with one worker, and its port."""
        port = free_port()
        with self.running("serve", ALLOCATION_PORT=str(port), ALLOCATION_WORKERS="1") as process:
            while not is_ready(port):
                time.sleep(0.05)
            yield port, process


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
        engine = engine_for(database.url, connections=20)
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
