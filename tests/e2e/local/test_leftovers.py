"""What a killed PostgreSQL leaves behind does not prevent the next start."""

import os
from pathlib import Path

import psycopg2
import pytest

from allocation.local.ports import free_port
from allocation.local.postgres import Postgres
from tests.support import servers


@pytest.mark.parametrize("text", [f"{os.getpid()}\n/elsewhere\n", ""], ids=["id of another program", "empty"])
def test_a_stale_process_id_file_does_not_prevent_a_start(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder: Path = tmp_path_factory.mktemp("stale")
    with servers.running(Postgres(folder, free_port())):
        pass
    (folder / "data" / "postmaster.pid").write_text(text)
    server = Postgres(folder, free_port())
    with servers.running(server):
        psycopg2.connect(server.url).close()
