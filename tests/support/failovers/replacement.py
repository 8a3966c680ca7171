"""Databases that replace another database of the same server."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from allocation.local.postgres import Postgres, find_binaries
from tests.support.adapters.databases import execute


@contextmanager
def restored_copy(server: Postgres, url: str, dump: Path) -> Iterator[str]:
    """Dump the database at the URL to a file, and restore it into a new database. Yield the URL of that database."""
    name = f"{name_of(url)}_restored"
    subprocess.run([find_binaries() / "pg_dump", "--format=custom", f"--file={dump}", url], check=True)
    execute(server, f"CREATE DATABASE {name} TEMPLATE template0")
    subprocess.run([find_binaries() / "pg_restore", f"--dbname={server.url_of(name)}", dump], check=True)
    yield server.url_of(name)
    execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def swap_databases(server: Postgres, first: str, second: str) -> None:
    """Exchange the names of the databases at two URLs. Their sessions end."""
    names = name_of(first), name_of(second)
    for name in names:
        execute(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        execute(server, f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '{name}'")
    for old, new in ((names[0], "swapped"), (names[1], names[0]), ("swapped", names[1])):
        execute(server, f"ALTER DATABASE {old} RENAME TO {new}")
    for name in names:
        execute(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def name_of(url: str) -> str:
    return url.rpartition("/")[2]
