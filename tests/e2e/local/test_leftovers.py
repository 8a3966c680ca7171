"""Files of an earlier run do not prevent the next start, or one sentence names the file."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from redis import Redis as RedisClient

from allocation.local.errors import CannotStart
from allocation.local.ports import free_port
from allocation.local.postgres import Postgres
from allocation.local.redis import Redis
from tests.support import servers
from tests.support.patience import PATIENCE


@pytest.fixture
def stranger() -> Iterator[int]:
    """Yield the process id of a program that has nothing to do with PostgreSQL."""
    program = subprocess.Popen(["sleep", "infinity"])
    yield program.pid
    program.terminate()
    program.wait()


def test_a_stale_process_id_file_does_not_prevent_a_start(stranger: int, tmp_path: Path) -> None:
    with servers.running(Postgres(tmp_path, free_port())):
        pass
    for text in (f"{stranger}\n/elsewhere\n", "", "0\n", "99999999999999999999\n"):
        (tmp_path / "data" / "postmaster.pid").write_text(text)
        server = Postgres(tmp_path, free_port())
        with servers.running(server):
            psycopg2.connect(server.url).close()


@pytest.mark.slow
def test_a_lost_password_is_named(tmp_path: Path) -> None:
    with servers.running(Postgres(tmp_path, free_port())):
        pass
    (tmp_path / "password").write_text("another")
    with pytest.raises(CannotStart, match=f"PostgreSQL refuses its password. Restore the file {tmp_path / 'password'}"):
        start_and_stop(Postgres(tmp_path, free_port()))
    (tmp_path / "password").unlink()
    with pytest.raises(
        CannotStart, match=f"Can't read the password of PostgreSQL. Restore the file {tmp_path / 'password'}"
    ):
        start_and_stop(Postgres(tmp_path, free_port()))


def start_and_stop(server: Postgres) -> None:
    child = server.prepare()
    child.start()
    try:
        server.wait_until_ready(child)
    finally:
        child.stop(PATIENCE)


def test_redis_accepts_a_folder_with_any_name(tmp_path: Path) -> None:
    with servers.running(Redis(tmp_path / 'a "quoted\\ folder', free_port())) as server:
        RedisClient.from_url(server.url).ping()


@pytest.mark.parametrize("kind", [Postgres, Redis])
def test_only_its_owner_can_read_an_old_folder(kind: type[Postgres | Redis], tmp_path: Path) -> None:
    """An earlier version created it for everybody."""
    folder = tmp_path / "old"
    folder.mkdir(mode=0o755)
    with servers.running(kind(folder, free_port())):
        assert oct(folder.stat().st_mode & 0o777) == "0o700"
