"""Slow commands show progress on a terminal. Without one, they print only their result."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from allocation.entrypoints.cli.main import main
from readmodel.store.store import Store
from tests.support.adapters.csv_folder import Folder
from tests.support.entrypoints.in_process import InProcess
from tests.support.paths import SAMPLE
from tests.support.processes import CONSOLE_SCRIPT, only

LOAD = f"load --batches {SAMPLE}/batches.csv --orders {SAMPLE}/orders.csv"
SLOW = {
    "rebuild": "events",
    "verify": "rows",
    "repair": "rows",
    "audit": "invariants",
    "digest": "keys",
    LOAD: "rows",
    "allocate-from-csv {folder}": "rows",
}
commands = pytest.mark.parametrize("words", SLOW, ids=[words.partition(" ")[0] for words in SLOW])


@contextmanager
def terminal() -> Iterator[tuple[int, TextIO]]:
    """Yield both ends of a terminal: that of its user, and that of the program."""
    user, program = pty.openpty()
    fcntl.ioctl(program, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with os.fdopen(program, "w") as file:
        yield user, file
    os.close(user)


@pytest.fixture
def orders(folder: Folder, shop: Store, cli: InProcess) -> Path:
    """Return a folder of CSV files, beside views with some lines."""
    return folder.orders("o1,S,1", "o2,S,2").path


@commands
def test_a_slow_command_shows_progress_on_a_terminal(
    words: str, orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with terminal() as (user, program):
        monkeypatch.setattr(sys, "stderr", program)
        with pytest.raises(SystemExit, match="0"):
            main(words.format(folder=orders).split())
        shown = os.read(user, 100_000).decode()
    assert re.search(rf"\r.* {SLOW[words]}\b", shown), shown
    assert "\r" not in capsys.readouterr().out


@commands
def test_a_slow_command_shows_nothing_without_a_terminal(words: str, orders: Path, cli: InProcess) -> None:
    ended = cli.run(*words.format(folder=orders).split())
    assert (ended.code, ended.err) == (0, "")
    assert "\r" not in ended.out


def test_a_pipe_gets_only_the_result_beside_a_terminal(shop: Store, database_url: str) -> None:
    with terminal() as (user, program):
        arguments = [*CONSOLE_SCRIPT, "audit", "--json"]
        environment = only({"DATABASE_URL": database_url})
        done = subprocess.run(arguments, env=environment, text=True, stdout=subprocess.PIPE, stderr=program)
        assert b" invariants" in os.read(user, 100_000)
    assert (done.returncode, {line[0] for line in done.stdout.splitlines()}) == (0, {"{"})
