"""How the program ends: the exit codes, and errors of one line."""

import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from redis.exceptions import AuthenticationError, OutOfMemoryError, ReadOnlyError
from redis.exceptions import ConnectionError as ConnectionLost

from allocation.adapters.csv.rows import BadFile
from allocation.adapters.postgres.driver.errors import READ_ONLY, REASONS, STANDBY
from allocation.entrypoints.cli.commands import command
from allocation.entrypoints.cli.errors import BY_REASON, CORRECT_FILE
from allocation.entrypoints.cli.exits import NotRun, Trouble
from allocation.entrypoints.cli.main import main
from allocation.entrypoints.cli.program import Program
from allocation.service_layer.unit_of_work import Busy, RetryableError, StoreUnavailable
from readmodel.store.errors import HistoryChanged, ModelAbsent, UnknownFormat
from tests.support.processes import only


def unavailable(message: str, cause: Exception, reason: str | None = None) -> StoreUnavailable:
    error = StoreUnavailable(message, reason)
    error.__cause__ = cause
    return error


def end_with(error: BaseException) -> Result:
    """Run a program whose only command raises the error."""

    @command("fail")
    def fail() -> None:
        """Fail."""
        raise error

    program = click.group(cls=Program, sections={"Run": (fail,)})(lambda: None)
    return CliRunner().invoke(program, ["fail"])


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (Trouble("Bad\nrow \x1b[31m"), 1, r"Bad row \x1b[31m"),
        (NotRun("Another rebuild is running"), 3, "Another rebuild is running"),
        (BadFile("x.csv is missing"), 3, f"x.csv is missing. {CORRECT_FILE}"),
        (unavailable("x.csv is missing", BadFile()), 3, f"x.csv is missing. {CORRECT_FILE}"),
        (StoreUnavailable("The role x does not exist. Create it"), 3, "The role x does not exist. Create it"),
        (StoreUnavailable(STANDBY, READ_ONLY), 3, f"{STANDBY}. {BY_REASON[READ_ONLY]}"),
        (RetryableError("The server has gone."), 3, "The server has gone. Run the command again"),
        (ModelAbsent(), 3, "Start a relay, which builds the views, or run allocation rebuild"),
        (HistoryChanged(), 3, "Start a relay, which builds the views, or run allocation rebuild"),
        (UnknownFormat("g1-9"), 3, "the format of the views: g1-9. Use the newer release, or run allocation rebuild"),
        (ConnectionLost("Refused."), 3, "Redis can't be reached: Refused. Start Redis, or correct REDIS_URL"),
        (AuthenticationError("invalid password"), 3, "Redis refuses the login: invalid password. Correct REDIS_URL"),
        (ReadOnlyError("a replica."), 3, "Redis refuses writes: a replica. Set REDIS_URL to the primary"),
        (OutOfMemoryError("OOM"), 3, "Redis refuses writes: OOM. Raise its maxmemory, or delete other keys"),
    ],
    ids=repr,
)
def test_an_error_is_one_line_that_says_what_to_do(error: Exception, code: int, line: str) -> None:
    ended = end_with(error)
    assert ended.exit_code == code
    assert ended.stdout == ""
    [shown] = ended.stderr.splitlines()
    assert shown.startswith("Error: ")
    assert shown.endswith(line)


def test_a_lock_that_another_session_holds_is_named() -> None:
    ended = end_with(Busy("canceling statement due to lock timeout"))
    assert ended.stderr.endswith("If it fails again, end the session that holds the lock\n")


def test_each_reason_of_the_database_has_an_advice() -> None:
    assert set(BY_REASON) == set(REASONS.values())


def test_a_bug_shows_its_traceback_and_is_no_trouble() -> None:
    """Otherwise a script would take a bug in `verify` for a difference."""
    ended = end_with(ZeroDivisionError("a bug"))
    assert ended.exit_code == 3
    assert "Traceback" in ended.stderr
    assert ended.stderr.endswith("ZeroDivisionError: a bug\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nothing"], "No such option '--nothing'. Run allocation -h for help"),
        (["nothing"], "No such command 'nothing'. Run allocation -h for help"),
        (["check", "nothing"], "is not one of 'commands', 'queries', 'relay', 'consumer'. Run allocation check -h"),
        (["load"], "Missing option '--batches'. Run allocation load -h for help"),
        (["verify", "--sku", "S", "--sample", "5"], "Use only one of --sku, --order and --sample"),
        (["access-token", "new"], "Missing option '--name'. Run allocation access-token new -h for help"),
        (["access-token", "new", "--name", "-", "--scope", "query"], "a name has 1 to 64 letters"),
    ],
)
def test_a_wrong_command_line_is_one_line_with_code_2(arguments: list[str], message: str) -> None:
    ended = CliRunner().invoke(main, arguments)
    assert ended.exit_code == 2
    [shown] = ended.stderr.splitlines()
    assert shown.startswith("Error: ")
    assert message in shown


def test_without_a_command_the_program_shows_its_help() -> None:
    ended = CliRunner().invoke(main, [])
    assert ended.exit_code == 2
    assert "Inspect:" in ended.output


PROGRAM = """
import sys, click
from allocation.entrypoints.cli.commands import command
from allocation.entrypoints.cli.program import Program
@command()
def last() -> None:
    "Print lines, or wait."
    if sys.argv[2:]: raise KeyboardInterrupt
    while True:
        click.echo("x" * 100)
last.params.append(click.Argument(["wait"], required=False, expose_value=False))
click.group(cls=Program, sections={"Run": (last,)})(lambda: None)()
"""


def test_a_closed_pipe_ends_a_command_without_a_message(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    program = subprocess.Popen(
        [sys.executable, str(script), "last"], env=only({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    program.stdout.readline()
    program.stdout.close()
    assert program.stderr is not None
    assert program.stderr.read() == ""
    program.stderr.close()
    assert program.wait() == -signal.SIGPIPE


def test_ctrl_c_ends_a_command_as_the_signal_does(tmp_path: Path) -> None:
    """A shell then ends its loop, and shows 130."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    ended = subprocess.run(
        [sys.executable, str(script), "last", "wait"], env=only({}), capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")
