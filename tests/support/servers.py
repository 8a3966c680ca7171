"""Temporary PostgreSQL and Redis servers on free ports. `allocation run` starts its servers with the same code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from allocation.local.ports import free_port
from allocation.local.postgres import Postgres
from allocation.local.redis import Redis
from tests.support.patience import PATIENCE

UNSAFE_AND_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "300",
    "track_commit_timestamp": "on",
}


class Server:
    """A server that a test can kill and start again."""

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
        """Send SIGKILL to the server and to its children."""
        assert self._child.process
        self._child.process.kill()
        self._child.sweep()

    def stop(self) -> None:
        self._child.stop(PATIENCE)


@contextmanager
def running(server: Postgres | Redis) -> Iterator[Server]:
    """Start the server, wait until it is ready, and stop it at the end of the block."""
    handle = Server(server)
    handle.start()
    try:
        yield handle
    finally:
        handle.stop()


def postgres_in(folder: Path, *, durable: bool = False) -> Postgres:
    """Describe a PostgreSQL server with its data in `folder`. Its commits survive SIGKILL only if it is `durable`."""
    return Postgres(folder, free_port(), settings={} if durable else UNSAFE_AND_FAST)


def redis_in(folder: Path) -> Redis:
    return Redis(folder, free_port())
