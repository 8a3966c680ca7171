"""`allocation check`: the health check of a process that serves no HTTP."""

import subprocess

from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.processes import CONSOLE_SCRIPT, only, running


def test_check_reports_whether_a_relay_works(environment: dict[str, str]) -> None:
    assert check_relay(environment) == (1, "Error: No relay listens on allocation:committed\n")
    with running("relay", environment):
        eventually(lambda: check_relay(environment) == (0, "Processes on allocation:committed: 1\n"))
    eventually(lambda: check_relay(environment)[0] == 1)


def test_check_fails_without_redis_and_hides_the_password() -> None:
    code, output = check_relay({"REDIS_URL": "redis://:secret@127.0.0.1:1/0"})
    assert code == 1
    assert output.startswith("Error: ")
    assert "secret" not in output


def check_relay(environment: dict[str, str]) -> tuple[int, str]:
    """Return the exit code and the output, which is one line."""
    command = [*CONSOLE_SCRIPT, "check", "relay"]
    process = subprocess.run(command, env=only(environment), capture_output=True, text=True, timeout=PATIENCE)
    output = process.stdout + process.stderr
    assert len(output.splitlines()) == 1
    return process.returncode, output
