"""Throw-away servers on free ports, made from the same parts as those of `allocation run`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from allocation.local.child import Child
from allocation.local.ports import free_port
from allocation.local.postgres import Postgres
from allocation.local.redis import Redis

UNSAFE_AND_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "300",
    "track_commit_timestamp": "on",
}


@contextmanager
def postgres_server(folder: Path) -> Iterator[Postgres]:
    server = Postgres(folder, free_port(), settings=UNSAFE_AND_FAST)
    with running(server.prepare(), server):
        yield server


@contextmanager
def redis_server(folder: Path, port: int | None = None) -> Iterator[Redis]:
    server = Redis(folder, port or free_port())
    with running(server.prepare(), server):
        yield server


@contextmanager
def running(child: Child, server: Postgres | Redis) -> Iterator[None]:
    child.start()
    try:
        server.wait_until_ready(child)
        yield
    finally:
        child.stop(10)
