"""A PostgreSQL primary with a streaming standby that can take over."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from allocation.local.account import find_account
from allocation.local.files import create_secret_folder
from allocation.local.ports import free_port
from allocation.local.postgres import Postgres, find_binaries
from tests.support.adapters.databases import execute
from tests.support.eventually import eventually
from tests.support.servers import Server

FILL = "CREATE TABLE filler AS SELECT generate_series(1, 200000)"
"""After a promotion, the new primary writes these pages slowly. Meanwhile, its control file has the old timeline."""


class ReplicatedPostgres:
    """A primary and its standby, which have the same settings.

    When the standby takes over, it gets the port and the password of the primary. So `url` always leads to the primary.
    """

    def __init__(self, primary: Postgres) -> None:
        self._primary = primary
        self._primary_server = Server(primary)
        self._standby = Postgres(primary.folder.with_name("standby"), free_port(), primary.settings, find_account())

    @property
    def url(self) -> str:
        return self._primary.url

    @property
    def standby_url(self) -> str:
        return self._standby.url

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute a statement on the database `postgres` of the primary."""
        return execute(self._primary, statement)

    def start(self) -> None:
        """Start the primary, copy it, and start the copy as its standby."""
        self._primary_server.start()
        copy_while_running(self._primary, self._standby)
        self._standby_server = Server(self._standby)
        self._standby_server.start()
        self.execute(FILL)

    def make_standby_synchronous(self) -> None:
        """From now on, a commit succeeds only when the standby has it. The primary must have synchronous_commit."""
        self.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.execute("SELECT pg_reload_conf()")
        eventually(lambda: self.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)])

    def wait_for_standby(self) -> None:
        """Wait until the standby has everything that the primary has now."""
        [[end]] = self.execute("SELECT pg_current_wal_insert_lsn()")
        eventually(lambda: execute(self._standby, f"SELECT pg_last_wal_replay_lsn() >= '{end}'") == [(True,)])

    def cut_off_standby(self) -> None:
        """Stop the standby as soon as it has everything. It misses all later commands."""
        self.wait_for_standby()
        self._standby_server.stop()

    def fail_over(self) -> None:
        """Kill the primary. Then the standby takes over."""
        self._primary_server.kill()
        self._take_over()

    def switch_over(self) -> None:
        """Stop the primary, which first sends everything to the standby. Then the standby takes over."""
        self._primary_server.stop()
        self._take_over()

    def stop(self) -> None:
        self._primary_server.stop()
        self._standby_server.stop()

    def _take_over(self) -> None:
        """Start the standby on the primary's port, and promote it. Clients first find it read-only."""
        self._standby_server.stop()
        settings = {**self._primary.settings, "primary_conninfo": ""}
        self._primary = Postgres(self._standby.folder, self._primary.port, settings, self._standby.account)
        self._primary_server = Server(self._primary)
        self._primary_server.start()
        assert self.execute("SELECT pg_promote()") == [(True,)]


@contextmanager
def replicated(primary: Postgres) -> Iterator[ReplicatedPostgres]:
    """Run the primary with a standby. Stop both at the end of the block."""
    servers = ReplicatedPostgres(primary)
    servers.start()
    try:
        yield servers
    finally:
        servers.stop()


def copy_while_running(source: Postgres, target: Postgres) -> None:
    """Copy the data and the password of a running server. The copy is a standby of that server."""
    assert target.account
    create_secret_folder(target.folder)
    password = Path(shutil.copy2(source.folder / "password", target.folder))
    for path in (target.folder, password):
        target.account.become_owner_of(path)
    target.account.run(
        find_binaries() / "pg_basebackup",
        f"--dbname={source.url}",
        f"--pgdata={target.folder / 'data'}",
        "--write-recovery-conf",
        "--checkpoint=fast",
        "--no-sync",
    )


def save_data(stopped: Postgres, target: Path) -> None:
    """Copy the data of a stopped server, with the owner of each file."""
    subprocess.run(["cp", "-a", stopped.folder / "data", target], check=True)


def restore_data(stopped: Postgres, saved: Path) -> None:
    """Replace the data of a stopped server by saved data."""
    shutil.rmtree(stopped.folder / "data")
    saved.rename(stopped.folder / "data")
