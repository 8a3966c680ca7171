"""Verify and repair beside writers and the relay."""

import json
from itertools import count

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.checks.state import StateReader
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate, CreateBatch
from allocation.entrypoints.verification import Scope, Verification
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.verification.differences import Comparison
from readmodel.store.lists import is_list
from readmodel.store.store import Store
from readmodel.views.orders import order_key
from readmodel.views.products import product_key
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.processes import run_to_end, running
from tests.support.service_layer.traffic import Traffic

VERIFICATIONS = 5
QUIET = order_key("quiet")


@pytest.mark.slow
def test_verify_raises_no_false_alarm_under_load(
    projecting_bus: MessageBus,
    model: Store,
    engine: Engine,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first comparison finds suspects that the relay or a worker has not shown yet."""
    waits = list[str]()
    wait = Comparison._wait_until_shown

    def observed_wait(comparison: Comparison) -> None:
        waits.append("a suspect")
        wait(comparison)

    monkeypatch.setattr(Comparison, "_wait_until_shown", observed_wait)
    verification = Verification(model, EventLog(engine), PROJECTION, StateReader(engine), Scope())
    traffic = Traffic(projecting_bus)
    with running("relay", environment), in_threads(traffic.run, traffic.run, traffic.run):
        for verifications in count(1):
            assert list(verification.differences()) == []
            if verifications >= VERIFICATIONS and waits:  # Without a wait, no comparison has met a commit.
                break


@pytest.mark.slow
def test_repair_restores_the_views_under_load(
    projecting_bus: MessageBus, model: Store, environment: dict[str, str]
) -> None:
    list(projecting_bus.handle_all([CreateBatch("q1", "Q", 10), Allocate("quiet", "Q", 3)]))
    traffic = Traffic(projecting_bus)
    live = model.generations().live
    with running("relay", environment | {"ALLOCATION_VERIFY_RATE": "0"}), in_threads(traffic.run, traffic.run):
        eventually(lambda: traffic.commands > 200)
        sound = model.redis.hgetall(f"{live}:{QUIET}")
        model.redis.hset(f"{live}:{QUIET}", "Q", '99 {"qty":3,"status":"waiting","batchref":null}')
        model.redis.hset(f"{live}:{QUIET}", "NEVER", "1 {}")
        model.redis.hset(f"{live}:{product_key('S')}", "totals", "999999999 {}")
        code, output = run_to_end("verify --json", environment)
        assert code == 1
        found = {(line["key"], line["field"]) for line in map(json.loads, output.splitlines()[:-1])}
        in_lists = {(key, field) for key, field in found if is_list(key)}
        assert found - in_lists == {(QUIET, "Q"), (QUIET, "NEVER"), (product_key("S"), "totals")}, output
        # Writers take the damaged totals for newer ones. So the lists keep the entries of the former totals.
        assert {field.split("\0")[1] for _, field in in_lists} == {"S"}, output
        assert output.splitlines()[-1].startswith(f"Error: Differences: {len(found)}. To correct them, run")
        code, output = run_to_end("repair", environment)
        assert (code, output.splitlines()[-1][:-1]) == (0, "Corrected differences: ")
        assert run_to_end("verify", environment) == (0, "The views match the database\n")
        assert model.redis.hgetall(f"{live}:{QUIET}") == sound
