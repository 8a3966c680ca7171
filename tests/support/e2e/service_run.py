"""`allocation run` as a process of its own, and the processes that it starts."""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from allocation.entrypoints.cli.exits import Exit
from allocation.local.ports import free_port
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.processes import allocation


class ServiceRun:
    """A running `allocation run` with its output, its descendants and an Api."""

    def __init__(self, data: Path, **variables: str) -> None:
        self.port = free_port()
        self.environment = {"ALLOCATION_DATA": str(data), "ALLOCATION_PORT": str(self.port), **variables}
        self._output = data.with_suffix(".out")
        with self._output.open("w") as file:
            self.process = allocation("run", self.environment, stdout=file, stderr=file)
        self.api = Api(self.port)
        eventually(lambda: "Press Ctrl-C" in self.output() or self.process.poll() is not None)
        assert self.process.poll() is None, self.output()
        self.descendants = psutil.Process(self.process.pid).children(recursive=True)

    def output(self) -> str:
        return self._output.read_text()

    def child(self, word: str) -> psutil.Process | None:
        """Return the child with this word in its command line, or None."""
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):
                if any(word in part for part in child.cmdline()):
                    return child
        return None

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """End it, unless it has ended. Return its exit code."""
        self.api.connection.close()
        if self.process.poll() is None:
            self.descendants = psutil.Process(self.process.pid).children(recursive=True)
            self.process.send_signal(by)
        return self.process.wait(PATIENCE)


@contextmanager
def run_service(data: Path, **variables: str) -> Iterator[ServiceRun]:
    service = ServiceRun(data, **variables)
    try:
        yield service
    finally:
        service.end()


def error_of(command: str, environment: Mapping[str, str]) -> str:
    """Run a command that can't run. It must print one line on standard error. Return that line."""
    process = allocation(command, environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == Exit.NOT_RUN, out + err
    [line] = err.splitlines()
    return str(line)


def alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that still run. A zombie has ended."""
    return [process for process in processes if is_alive(process)]


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def serves(api: Api, orderid: str) -> bool:
    """Return whether the service allocates a line of S and then shows it."""
    try:
        return api.allocate(orderid, "S", 1).status == 202 and api.allocations(orderid).status == 200
    except OSError:
        api.connection.close()
        return False
