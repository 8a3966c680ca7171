"""Many processes send the same commands with the same keys. The result is the same as from one process."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.checks.audit import audit
from readmodel.store.store import Store
from tests.model.oracle import views_are_the_state
from tests.support.adapters.waits import lock_waits
from tests.support.e2e.database import scalar
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.processes import allocation
from tests.support.programs.sends_commands import commands
from tests.support.services import web

PROCESSES = 8

# If the service executed a command twice, the second outcome would replace the first one in the table of keys. Then no
# key would know the events of the first execution.
UNKNOWN_EVENTS = """
    SELECT count(*) FROM events WHERE NOT EXISTS (
        SELECT FROM idempotency_keys, json_array_elements(effects) AS effect
        WHERE effect->>0 = sku AND version BETWEEN CAST(effect->>1 AS bigint) AND CAST(effect->>2 AS bigint)
    )
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [120, 600])
@pytest.mark.parametrize("way", ["one-by-one", "in-bulk"])
def test_each_key_is_executed_once_for_many_processes(
    way: str, number: int, environment: dict[str, str], relay: None, engine: Engine, model: Store
) -> None:
    threads = {"ALLOCATION_THREADS": str(4 * PROCESSES)}  # A quarter of the threads serve bulks.
    with web(environment | threads, workers=2) as port, lock_waits(engine) as waits:
        program = [sys.executable, "-m", "tests.support.programs.sends_commands", str(port), str(number)]
        clients = [
            subprocess.Popen([*program, str(seed), way], stdout=subprocess.PIPE, text=True) for seed in range(PROCESSES)
        ]
        answers = [without_tokens(json.loads(client.communicate()[0])) for client in clients]
    assert len(answers[0]) == number
    assert waits, "no session waited for a lock, so there was no race"
    for other in answers[1:]:
        assert other == answers[0], "two processes got different answers for a key"
    statuses = Counter(answer[0] if way == "one-by-one" else answer["status"] for answer in answers[0].values())
    assert {201, 202, 404} <= set(statuses) <= {201, 202, 400, 404, 409}, statuses

    assert scalar(engine, "SELECT count(*) FROM idempotency_keys") == number
    assert scalar(engine, "SELECT count(*) FROM batches") == sum(
        route == "add_batch" for route, _ in commands(number).values()
    )
    assert scalar(engine, UNKNOWN_EVENTS) == 0
    assert scalar(engine, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    assert_the_audit_finds_nothing(environment, engine)
    eventually(lambda: views_are_the_state(engine, model))


def without_tokens(answers: dict[str, Any]) -> dict[str, Any]:
    """Return the answers to a bulk without their tokens: the token of a repeated command has only the position."""
    return {
        key: {name: value for name, value in answer.items() if name != "token"} if isinstance(answer, dict) else answer
        for key, answer in answers.items()
    }


def assert_the_audit_finds_nothing(environment: dict[str, str], engine: Engine) -> None:
    process = allocation("audit", environment, stdout=subprocess.PIPE)
    output, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output.count(": ok\n")) == (0, len(list(audit(engine)))), output
