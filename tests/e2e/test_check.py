"""`allocation check`: the health check of a process that serves no HTTP."""

from tests.support.eventually import eventually
from tests.support.processes import run_to_end, running


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
    code, output = run_to_end("check relay", environment)
    assert len(output.splitlines()) == 1
    return code, output
