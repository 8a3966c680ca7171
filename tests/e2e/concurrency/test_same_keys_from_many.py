"""Many processes send the same commands with the same keys at once: what comes of it is what comes of one."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from sqlalchemy import Engine, text

from readmodel.store.store import Store
from tests.model.oracle import views_are_the_state
from tests.support.eventually import eventually
from tests.support.processes import allocation
from tests.support.programs.sends_commands import commands
from tests.support.services import web
from tests.support.waits import lock_waits

PROCESSES = 8
COMMANDS = int(os.environ.get("SAME_COMMANDS", "120"))

# A command that was carried out twice would leave events that no key knows of: its second outcome replaces the first.
UNKNOWN_EVENTS = """
    SELECT count(*) FROM events WHERE NOT EXISTS (
        SELECT FROM idempotency_keys, json_array_elements(effects) AS effect
        WHERE effect->>0 = sku AND version BETWEEN CAST(effect->>1 AS bigint) AND CAST(effect->>2 AS bigint)
    )
"""


@pytest.mark.parametrize("way", ["one-by-one", "in-bulk"])
def test_the_same_commands_from_many_processes_are_one_pass(
    way: str, environment: dict[str, str], relay: None, engine: Engine, model: Store
) -> None:
    threads = {"ALLOCATION_THREADS": str(2 * PROCESSES)}  # Half of them take bulks.
    with web(environment | threads, workers=2) as port, lock_waits(engine) as waits:
        program = [sys.executable, "-m", "tests.support.programs.sends_commands", str(port), str(COMMANDS)]
        clients = [
            subprocess.Popen([*program, str(seed), way], stdout=subprocess.PIPE, text=True) for seed in range(PROCESSES)
        ]
        answers = [json.loads(client.communicate()[0]) for client in clients]
    assert len(answers[0]) == COMMANDS
    assert len(waits) > 1, "nobody waited for anybody: nothing was raced"
    for other in answers[1:]:
        assert other == answers[0], "the same answer for each key"
    statuses = Counter(answer[0] if way == "one-by-one" else answer["status"] for answer in answers[0].values())
    assert {201, 202, 404} <= set(statuses) <= {201, 202, 400, 404, 409}, statuses

    assert scalar(engine, "SELECT count(*) FROM idempotency_keys") == COMMANDS
    assert scalar(engine, "SELECT count(*) FROM batches") == sum(
        route == "add_batch" for route, _ in commands(COMMANDS).values()
    )
    assert scalar(engine, UNKNOWN_EVENTS) == 0
    assert scalar(engine, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    audit = allocation("audit", environment, stdout=subprocess.PIPE)
    assert (audit.wait(60), audit.communicate()[0].count(" 0 against: ")) == (0, 17)
    eventually(lambda: views_are_the_state(engine, model))


def scalar(engine: Engine, query: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())
