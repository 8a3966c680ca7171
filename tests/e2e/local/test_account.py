"""The account of PostgreSQL, which refuses to run as root."""

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from allocation.local.account import as_nobody
from allocation.local.ports import free_port
from allocation.local.postgres import Postgres, find_binaries
from tests.support import servers


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root needs another account")
def test_root_runs_postgresql_as_nobody_without_namespaces(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Root runs it in a user namespace if it can. This test does without one."""
    try:
        as_nobody().run(find_binaries() / "postgres", "--version")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("The account nobody can't enter the folder of PostgreSQL's programs here")
    folder = tmp_path_factory.mktemp("nobody")
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.geteuid() and parent.is_relative_to("/tmp"):
            parent.chmod(0o755)
    server = Postgres(folder / "postgres", free_port(), account=as_nobody())
    with servers.running(server):
        assert psutil.Process(server_pid(folder)).username() == "nobody"


def server_pid(folder: Path) -> int:
    return int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
