"""The disk of PostgreSQL is full."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from allocation.entrypoints.cli.inspect.check import RUNBOOK
from allocation.local.ports import free_port
from allocation.local.postgres import Postgres
from tests.support import servers
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.processes import run_to_end, running
from tests.support.services import web

SIZE = 200_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on a small disk in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("This account must not mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_named_and_commands_succeed_afterwards(small_disk: Path, redis_url: str) -> None:
    settings = servers.UNSAFE_AND_FAST | {"max_wal_size": "64MB", "min_wal_size": "32MB"}
    postgres = Postgres(small_disk / "postgres", free_port(), settings=settings)
    with servers.running(postgres) as server:
        environment = {"DATABASE_URL": server.url, "REDIS_URL": redis_url}
        assert run_to_end("migrate", environment)[0] == 0
        with running("relay", environment), web(environment) as port:
            api = Api(port)
            assert api.add_batch("b1", "S", 1_000_000).status == 201
            fill(small_disk / "file")
            eventually(lambda: api.get("health", "ready").status == 503)
            assert api.get("health", "ready").json["message"] == "the disk of the database is full"
            reason = "Commands: the disk of the database is full"
            assert run_to_end("check commands", environment) == (1, f"{reason}\nError: {reason}. {RUNBOOK}\n")
            assert api.get("batches", "b1").status == 200
            statuses = {api.allocate(f"o{number}", "S", 1).status for number in range(300)}
            assert statuses <= {202, 503}
            (small_disk / "file").unlink()
            eventually(api.is_ready)
            assert api.allocate("after", "S", 1).status == 202
            api.connection.close()


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as output:
        for size in (1_000_000, 4_096):
            try:
                while output.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
