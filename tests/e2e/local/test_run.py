"""`allocation run`: the whole service from one command, with servers of its own."""

import fcntl
import os
import pty
import signal
import socket
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from allocation.local.account import as_nobody
from allocation.local.ports import free_port
from allocation.local.postgres import Postgres, find_binaries
from tests.support import servers
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.paths import SAMPLE
from tests.support.processes import CONSOLE_SCRIPT, allocation, only


class Run:
    """A running `allocation run`, its output, and the processes that it has started."""

    def __init__(self, data: Path, **variables: str) -> None:
        self.port = free_port()
        self.environment = {"ALLOCATION_DATA": str(data), "ALLOCATION_PORT": str(self.port), **variables}
        self.output = data.with_suffix(".out")
        with self.output.open("w") as file:
            self.process = allocation("run", self.environment, stdout=file, stderr=file)
        self.api = Api(self.port)
        eventually(lambda: "Ctrl-C ends it" in self.said() or self.process.poll() is not None, within=60)
        assert self.process.poll() is None, self.said()
        self.children = psutil.Process(self.process.pid).children(recursive=True)

    def said(self) -> str:
        return self.output.read_text()

    def child(self, word: str) -> psutil.Process | None:
        """The child that has the word in its command line."""
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):
                if any(word in part for part in child.cmdline()):
                    return child
        return None

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.api.connection.close()
        if self.process.poll() is None:
            self.children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.send_signal(how)
        return self.process.wait(10)


@contextmanager
def run(data: Path, **variables: str) -> Iterator[Run]:
    running = Run(data, **variables)
    try:
        yield running
    finally:
        running.end()


CHILDREN = {
    "relay": "The relay",
    "consumer": "The consumer",
    "granian": "The web server",
    "-server": "Redis",
    "postgres": "PostgreSQL",
}


def one_line(command: str, environment: dict[str, str]) -> str:
    """What a command that can't do its work says: one line, and an exit code that is not 0."""
    process = allocation(command, environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, out + err
    [line] = err.splitlines()
    return str(line)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run. One that has ended may wait for init to take note of it."""
    return [process for process in processes if is_alive(process)]


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_it_ends_with_all_of_it_and_serves_its_data_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with run(data) as first:
        first.api.add_batch("b1", "S", 10)
        first.api.allocate("o1", "S", 3)
        assert first.api.allocations("o1").status == 200
        assert first.end(signal.SIGTERM) == 0
        assert alive(first.children) == []
        assert len(first.children) >= 5, "PostgreSQL, Redis, relay, web server and workers"
    with run(data) as second:
        assert second.api.allocations("o1").json == [{"sku": "S", "batchref": "b1"}]
        assert second.api.allocate("o2", "S", 7).status == 202
        assert second.api.get("batches", "b1").json["available"] == 0


def test_ctrl_c_in_a_terminal_ends_make_with_success(tmp_path: Path) -> None:
    """make and the service share the terminal; make must not take the Ctrl-C for a failure of its own."""
    with make_run_in_a_terminal(tmp_path) as (make, terminal):
        os.write(terminal, b"\x03")
        said = read_until(terminal, None)
        os.close(terminal)
        assert make.wait(10) == 0, said.decode()


def test_a_terminal_that_is_closed_ends_the_service(tmp_path: Path) -> None:
    """The hang-up is told to make alone, which leads the session; it waits for the service."""
    with make_run_in_a_terminal(tmp_path) as (make, terminal):
        processes = psutil.Process(make.pid).children(recursive=True)
        os.close(terminal)
        make.wait(10)
        assert len(processes) > 5
        assert alive(processes) == []


@contextmanager
def make_run_in_a_terminal(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """make, as the leader of a terminal's session, and the terminal's other end."""
    (folder / "Makefile").write_text(f"run:\n\t@{' '.join(CONSOLE_SCRIPT)} run\n")
    terminal, its_end = pty.openpty()
    make = subprocess.Popen(
        ["make", "run"],
        cwd=folder,
        env=only({"ALLOCATION_PORT": str(free_port())}),
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(its_end)
    try:
        assert b"Ctrl-C ends it" in read_until(terminal, b"Ctrl-C ends it")
        yield make, terminal
    finally:
        make.terminate()
        make.wait(15)


def read_until(terminal: int, awaited: bytes | None) -> bytes:
    """What is written to the terminal until the awaited words come, or until its last process has ended."""
    said = b""
    while awaited is None or awaited not in said:
        try:
            said += os.read(terminal, 4096)
        except OSError:
            break
    return said


def test_other_programs_can_join(tmp_path: Path) -> None:
    with run(tmp_path / "data") as service:
        environment = service.environment
        env = allocation("env", environment, stdout=subprocess.PIPE)
        addresses = variables(env.communicate(timeout=30)[0])
        assert set(addresses) == {"DATABASE_URL", "REDIS_URL", "API_URL"}
        assert addresses["API_URL"] == f"http://127.0.0.1:{service.port}"
        load = f"load --batches {SAMPLE / 'batches.csv'} --orders {SAMPLE / 'orders.csv'}"
        assert allocation(load, environment, stderr=subprocess.DEVNULL).wait(30) == 0
        eventually(lambda: service.api.get("orders", "order-001").status == 200)
        assert allocation("rebuild", environment, stderr=subprocess.DEVNULL).wait(30) == 0
        assert service.api.get("orders", "order-001").status == 200
    assert "No service runs" in one_line("env", environment)
    assert "DATABASE_URL is not set" in one_line("rebuild", environment)


def test_a_second_run_beside_the_first_says_so(tmp_path: Path) -> None:
    with run(tmp_path / "data") as service:
        said = one_line("run", {"ALLOCATION_DATA": str(tmp_path / "data"), "ALLOCATION_PORT": str(free_port())})
        assert f"already runs from {tmp_path / 'data'} (process {service.process.pid})" in said
        assert service.api.is_ready()


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    with run(tmp_path / "data") as service:
        service.api.add_batch("b1", "S", 100)
        for word, name in CHILDREN.items():
            kill_and_see_it_come_back(service, word, name)
        assert service.end() == 0
        assert alive(service.children) == []


def kill_and_see_it_come_back(service: Run, word: str, name: str) -> None:
    victim = service.child(word)
    assert victim is not None
    victim.kill()
    eventually(lambda: f"{name} ended with code -9. Restarting it" in service.said())
    assert eventually(lambda: service.child(word) and allocated(service.api, f"order-{word}"), within=30)


def allocated(api: Api, orderid: str) -> bool:
    """A command is accepted and its effect is seen."""
    try:
        return api.allocate(orderid, "S", 1).status == 202 and api.allocations(orderid).status == 200
    except OSError:
        api.connection.close()
        return False


def test_a_run_after_one_that_was_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with run(data) as first:
        first.api.add_batch("b1", "S", 10)
        first.end(signal.SIGKILL)
        with run(data, ALLOCATION_PORT=str(first.port)) as second:
            assert second.child("granian")
        eventually(lambda: not alive(first.children))


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = one_line("run", {"ALLOCATION_DATA": str(tmp_path / "data"), "ALLOCATION_PORT": str(port)})
    assert f"Port {port} is in use" in said
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DATABASE_URL", "postgresql://postgres@127.0.0.1:1/nowhere", "DATABASE_URL can't be reached"),
        ("DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/x?option=1", "DATABASE_URL can't be reached"),
        ("DATABASE_URL", "mysql://u:secret@somewhere", "DATABASE_URL: Value error, must begin with postgresql://"),
        ("DATABASE_URL", "postgresql://u:secret@host:port/x", "DATABASE_URL: Value error, Port could not be cast"),
        ("REDIS_URL", "redis://127.0.0.1:1/0", "REDIS_URL can't be reached"),
        ("REDIS_URL", "http://u:secret@somewhere", "REDIS_URL: Value error, must begin with redis://"),
        ("REDIS_URL", "redis://u:secret@somewhere:port", "REDIS_URL: Value error, Port could not be cast"),
        ("SMTP_URL", "http://u:secret@somewhere", "SMTP_URL: Value error, must begin with smtp://"),
        ("SMTP_URL", "smtp://u:secret@", "SMTP_URL: Value error, must name a host"),
        ("ALLOCATION_MAIL_TO", "stock@example.com\nBcc: thief@example.com", "ALLOCATION_MAIL_TO=stock@example.com"),
        ("ALLOCATION_PORT", "many", "ALLOCATION_PORT=many"),
        ("ALLOCATION_PORT", "70000", "ALLOCATION_PORT=70000"),
        ("ALLOCATION_HOST", "no.such.host.invalid", "can't be listened on"),
        ("ALLOCATION_DATA", "/dev/null/data", "ALLOCATION_DATA=/dev/null/data can't be used"),
    ],
)
def test_addresses_that_can_not_be_used(tmp_path: Path, name: str, value: str, said: str) -> None:
    environment = {"ALLOCATION_DATA": str(tmp_path / "data"), "ALLOCATION_PORT": str(free_port()), name: value}
    line = one_line("run", environment)
    assert said in line
    assert "secret" not in line


def test_given_servers_are_used_and_none_is_started(database_url: str, redis_url: str, tmp_path: Path) -> None:
    with run(tmp_path / "data", DATABASE_URL=database_url, REDIS_URL=redis_url) as service:
        commands = [" ".join(child.cmdline()) for child in service.children]
        assert not [command for command in commands if "postgres -D" in command or "-server" in command]
        assert allocated_first(service.api)
        assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["env", "lock"]


def allocated_first(api: Api) -> bool:
    return api.add_batch("b1", "S", 10).status == 201 and allocated(api, "o1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")
def test_root_without_user_namespaces_runs_postgresql_as_nobody(tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        as_nobody().run(find_binaries() / "postgres", "--version")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nobody may not enter the folder of PostgreSQL's programs here")
    folder = tmp_path_factory.mktemp("nobody")
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.geteuid() and parent.is_relative_to("/tmp"):
            parent.chmod(0o755)
    server = Postgres(folder / "postgres", free_port(), account=as_nobody())
    with servers.running(server):
        assert psutil.Process(server_pid(folder)).username() == "nobody"


def server_pid(folder: Path) -> int:
    return int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
