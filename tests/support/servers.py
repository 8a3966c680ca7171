"""Throw-away servers on free ports, made from the same parts as those of `allocation run`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


class Server:
    """A running server that a test may kill and start again."""

    def __init__(self, server: Postgres | Redis) -> None:
        self._server = server
        self._child = server.prepare()

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        self._child.start()
        self._server.wait_until_ready(self._child)

    def kill(self) -> None:
        assert self._child.process
        self._child.process.kill()
        self._child.sweep()

    def stop(self) -> None:
        self._child.stop(10)


@contextmanager
def running(server: Postgres | Redis) -> Iterator[Server]:
    handle = Server(server)
    handle.start()
    try:
        yield handle
    finally:
        handle.stop()


def postgres_in(folder: Path, *, durable: bool = False) -> Postgres:
    return Postgres(folder, free_port(), settings={} if durable else UNSAFE_AND_FAST)


def redis_in(folder: Path) -> Redis:
    return Redis(folder, free_port())
