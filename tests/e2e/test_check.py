"""`allocation check`: the health check of a process that serves no HTTP."""

import pytest
from redis import Redis

from readmodel.store.names import PLAIN
from readmodel.store.store import Store
from readmodel.views.orders import order_key
from tests.support.eventually import eventually
from tests.support.processes import run_to_end, running


def test_check_reports_whether_a_relay_works(environment: dict[str, str]) -> None:
    assert check_relay(environment) == (1, "Error: No relay listens on allocation:committed\n")
    with running("relay", environment):
        works = "Processes on allocation:committed: 1\nCorrected registers: 0\n"
        eventually(lambda: check_relay(environment) == (0, works))
    eventually(lambda: check_relay(environment)[0] == 1)


@pytest.mark.slow
def test_check_shows_how_many_registers_a_relay_has_corrected(
    environment: dict[str, str], model: Store, redis: Redis
) -> None:
    """The number changes no exit code, even if another program has replaced the key."""
    ghost = f"{model.generations().live}:{order_key('never')}"
    with running("relay", environment):
        redis.hset(ghost, mapping={"S": "1 {}", "T": "1 {}"})
        eventually(lambda: check_relay(environment)[1].endswith("\nCorrected registers: 2\n"))
        assert not redis.exists(ghost)
        redis.delete(PLAIN.drift)
        redis.rpush(PLAIN.drift, "x")
        assert check_relay(environment) == (0, "Processes on allocation:committed: 1\nCorrected registers: 0\n")


def test_check_fails_without_redis_and_hides_the_password() -> None:
    code, output = check_relay({"REDIS_URL": "redis://:secret@127.0.0.1:1/0"})
    assert code == 1
    assert output.startswith("Error: ")
    assert "secret" not in output


def check_relay(environment: dict[str, str]) -> tuple[int, str]:
    """Return the exit code and the output. An error is one line."""
    code, output = run_to_end("check relay", environment)
    assert len(output.splitlines()) == (1 if code else 2)
    return code, output
