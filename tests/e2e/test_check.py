"""`allocation check`: the health check of a process that serves no HTTP."""

import psutil
import pytest
from redis import Redis

from allocation.entrypoints.cli.inspect.check import RUNBOOK
from readmodel.store.names import PLAIN
from readmodel.store.store import Store
from readmodel.views.orders import order_key
from tests.support.eventually import eventually
from tests.support.processes import run_to_end, running

WORKS = "Relay: ready\nCorrected registers: 0\n"


@pytest.mark.slow
def test_check_reports_whether_a_relay_works(environment: dict[str, str]) -> None:
    nobody = "no relay listens on allocation:committed"
    shown = f"Relay: {nobody}\nCorrected registers: 0\nError: Relay: {nobody}. {RUNBOOK}\n"
    assert check(environment, "relay") == (1, shown)
    with running("relay", environment):
        eventually(lambda: check(environment, "relay") == (0, WORKS))
    eventually(lambda: check(environment, "relay")[0] == 1)


@pytest.mark.slow
@pytest.mark.parametrize("process", ["relay", "consumer"])
def test_check_notices_a_process_that_hangs(process: str, environment: dict[str, str], relay: None) -> None:
    """The suspended process stays connected to Redis."""
    with running("consumer", environment), running(process, environment) as hanging:
        eventually(lambda: check(environment, process)[0] == 0)
        others = [child for child in psutil.Process().children() if process in child.cmdline()]
        assert hanging.pid in {child.pid for child in others}
        for child in others:
            child.suspend()
        eventually(lambda: f"the {process} has shown no sign of life for" in check(environment, process)[1])
        assert check(environment, process)[0] == 1
        assert check(environment, "")[0] == 1
        for child in others:
            child.resume()
        eventually(lambda: check(environment, process)[0] == 0)


@pytest.mark.slow
def test_check_reports_every_role(environment: dict[str, str], relay: None) -> None:
    ready = (0, "Commands: ready\nQueries: ready\nRelay: ready\nCorrected registers: 0\n")
    eventually(lambda: check(environment, "") == ready)
    with running("consumer", environment):
        eventually(lambda: check(environment, "") == (0, ready[1] + "Consumer: ready\n"))
    code, output = check(environment | {"DATABASE_URL": "postgresql://postgres@127.0.0.1:1/x"}, "commands")
    assert (code, output.splitlines()[0]) == (1, "Commands: the database can't be reached")


@pytest.mark.slow
def test_check_shows_how_many_registers_a_relay_has_corrected(
    environment: dict[str, str], model: Store, redis: Redis
) -> None:
    """The number changes no exit code, even if another program has replaced the key."""
    ghost = f"{model.generations().live}:{order_key('never')}"
    with running("relay", environment):
        redis.hset(ghost, mapping={"S": "1 {}", "T": "1 {}"})
        eventually(lambda: check(environment, "relay")[1].endswith("\nCorrected registers: 2\n"))
        assert not redis.exists(ghost)
        redis.delete(PLAIN.drift)
        redis.rpush(PLAIN.drift, "x")
        assert check(environment, "relay") == (0, WORKS)


def test_check_fails_without_redis_and_hides_the_password() -> None:
    code, output = check({"REDIS_URL": "redis://:secret@127.0.0.1:1/0"}, "relay")
    assert code == 1
    reason = "Relay: Redis can't be reached: Error 111 connecting to 127.0.0.1:1. Connection refused"
    assert output == f"{reason}\nError: {reason}. {RUNBOOK}\n"
    assert "secret" not in output


def check(environment: dict[str, str], role: str) -> tuple[int, str]:
    """Return the exit code and the output."""
    return run_to_end(f"check {role}", environment)
