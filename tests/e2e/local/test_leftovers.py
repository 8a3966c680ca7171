"""A killed PostgreSQL leaves files that do not prevent the next start."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from allocation.local.ports import free_port
from allocation.local.postgres import Postgres
from tests.support import servers


@pytest.fixture
def stranger() -> Iterator[int]:
    """Yield the process id of a program that has nothing to do with PostgreSQL."""
    program = subprocess.Popen(["sleep", "infinity"])
    yield program.pid
    program.terminate()
    program.wait()


@pytest.mark.parametrize("text", ["{}\n/elsewhere\n", ""], ids=["id-of-another-program", "empty"])
def test_a_stale_process_id_file_does_not_prevent_a_start(text: str, stranger: int, tmp_path: Path) -> None:
    with servers.running(Postgres(tmp_path, free_port())):
        pass
    (tmp_path / "data" / "postmaster.pid").write_text(text.format(stranger))
    server = Postgres(tmp_path, free_port())
    with servers.running(server):
        psycopg2.connect(server.url).close()
