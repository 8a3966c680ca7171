"""Redis servers that a test kills, replicates and promotes."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from readmodel.store import keys
from readmodel.store.client import redis_client
from tests.support.eventually import eventually
from tests.support.forwarder import LOCALHOST
from tests.support.patience import PATIENCE
from tests.support.servers import Server, redis_in, running

READS = 12
"""Only threads of the relay read which log the views come from: each four times a second, or once after an error."""


@dataclass(frozen=True)
class Node:
    """A server with its data in `folder`, and a client for the test."""

    folder: Path
    server: Server
    url: str
    redis: Redis

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def dump(self) -> Path:
        """The file that holds the state of the last save. The server loads it when it starts."""
        return self.folder / "dump.rdb"

    def url_at(self, port: int) -> str:
        """Return the URL of this server for a client that connects to another port."""
        return self.url.replace(f":{self.port}/", f":{port}/")

    def save(self) -> None:
        """Save the present state. The server saves no later state by itself until it starts again."""
        self.redis.config_set("save", "")
        self.redis.save()

    def save_to(self, copy: Path) -> None:
        self.save()
        shutil.copy(self.dump, copy)

    def restart_with_the_last_save(self) -> None:
        """Kill the server, and start it again."""
        self.server.kill()
        self.server.start()

    def restart_from(self, copy: Path) -> None:
        """Kill the server, and start it with the state of this file."""
        self.server.kill()
        shutil.copy(copy, self.dump)
        self.server.start()

    def replicate(self, port: int) -> None:
        """Become a replica of the server that the port leads to."""
        self.redis.replicaof(LOCALHOST, port)

    def promote(self) -> None:
        """Become a primary with the present data. Clients keep their connections."""
        self.redis.replicaof("NO", "ONE")

    def replication_id(self) -> str:
        """Return the replication id of this primary, or of the primary of this replica."""
        return str(self._replication()["master_replid"])

    def has_all_of(self, primary: "Node") -> bool:
        """Return whether this replica has every byte that the primary had when this call began."""
        offset = primary._replication()["master_repl_offset"]
        own = self._replication()
        return own.get("master_link_status") == "up" and bool(own["slave_repl_offset"] >= offset)

    def clients(self) -> set[str]:
        """Return the id of each connection of another program. A connection keeps its id until it closes."""
        found: list[dict[str, str]] = self.redis.client_list(_type="normal")
        return {client["id"] for client in found} - {str(self.redis.client_id())}

    def wait_for_turns_of_the_relay(self) -> None:
        """Wait until the relay has looked for new events, also if it pauses after an error."""
        deadline, reads = time.monotonic() + PATIENCE, 0
        with self.redis.monitor() as monitor:
            while reads < READS:
                assert time.monotonic() < deadline, "the relay does not look for new events"
                command = monitor.next_command()["command"]
                reads += command.startswith("HMGET ") and keys.history(keys.BUCKETS[0]) in command

    def _replication(self) -> dict[str, Any]:
        found: dict[str, Any] = self.redis.info("replication")
        return found


@contextmanager
def node(folder: Path, password: str | None = None) -> Iterator[Node]:
    """Run a server, with this password or with one of its own."""
    with running(redis_in(folder)) as server:
        url = server.url
        if password is not None:
            with redis_client(url) as setup:
                setup.config_set("requirepass", password)
            url = url.replace(password_of(url), password)
        with redis_client(url) as redis:
            redis.config_set("masterauth", password_of(url))
            redis.config_set("repl-diskless-sync-delay", 0)  # Otherwise each full copy begins five seconds later.
            yield Node(folder, server, url, redis)


@contextmanager
def replica(folder: Path, primary: Node, *, link: int | None = None) -> Iterator[Node]:
    """Run a replica with the primary's password. It connects to the port `link`, or directly to the primary.

    At the start of the block, it has all data of the primary.
    """
    with node(folder, password_of(primary.url)) as copy:
        copy.replicate(link or primary.port)
        eventually(lambda: copy.has_all_of(primary))
        yield copy


def password_of(url: str) -> str:
    return urlsplit(url).password or ""
