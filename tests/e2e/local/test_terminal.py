"""`allocation run` in the terminal of a `make run`."""

import fcntl
import os
import pty
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from allocation.local.ports import free_port
from tests.support.e2e.service_run import alive
from tests.support.patience import PATIENCE
from tests.support.processes import CONSOLE_SCRIPT, only


@pytest.mark.slow
def test_ctrl_c_ends_make_with_success(tmp_path: Path) -> None:
    """make and the service share the terminal. make must not treat the Ctrl-C as a failure of its own."""
    with make_run(tmp_path) as (make, terminal):
        os.write(terminal, b"\x03")
        output = read_until(terminal, None)
        os.close(terminal)
        assert make.wait(PATIENCE) == 0, output.decode()


@pytest.mark.slow
def test_a_closed_terminal_ends_the_service(tmp_path: Path) -> None:
    """Only make gets the hang-up, since it leads the session. It waits for the service."""
    with make_run(tmp_path) as (make, terminal):
        processes = psutil.Process(make.pid).children(recursive=True)
        os.close(terminal)
        make.wait(PATIENCE)
        assert len(processes) > 5
        assert alive(processes) == []


@contextmanager
def make_run(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Start `make run` as the leader of a terminal's session. Yield make and the other end of the terminal."""
    (folder / "Makefile").write_text(f"run:\n\t@{' '.join(CONSOLE_SCRIPT)} run\n")
    terminal, end_of_make = pty.openpty()
    make = subprocess.Popen(
        ["make", "run"],
        cwd=folder,
        env=only({"ALLOCATION_PORT": str(free_port())}),
        stdin=end_of_make,
        stdout=end_of_make,
        stderr=end_of_make,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(end_of_make)
    try:
        assert b"Press Ctrl-C" in read_until(terminal, b"Press Ctrl-C")
        yield make, terminal
    finally:
        make.terminate()
        make.wait(PATIENCE)


def read_until(terminal: int, words: bytes | None) -> bytes:
    """Return the output of the terminal until it contains the words, or until the last process has closed it."""
    output = b""
    while words is None or words not in output:
        try:
            output += os.read(terminal, 4096)
        except OSError:
            break
    return output
