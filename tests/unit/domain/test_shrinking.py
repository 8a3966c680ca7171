"""Who loses when a batch shrinks: decided by a rule, the same each time."""

import os
import subprocess
import sys

import pytest

from allocation.service_layer.unit_of_work import LoggedEvent
from tests.model.shrink_cases import CASES, Case, outcome, outcomes
from tests.support.fakes import FakeStore


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reason.replace(" ", "-"))
def test_lines_lose_their_batch_by_a_rule(case: Case) -> None:
    # W12
    lines, events = outcome(case, FakeStore().begin)
    assert lines == case.expected
    assert_told(case, events)


def assert_told(case: Case, events: list[LoggedEvent]) -> None:
    """Each line that lost its batch: first that it did, and last what it got instead. Never more than there is."""
    displaced = [event["line"]["orderid"] for event in events if event["type"] == "Displaced"]
    for orderid in displaced:
        told = [event for event in events if event.get("line", {}).get("orderid") == orderid]
        assert [event["type"] for event in told] == [
            "Displaced",
            "Allocated" if case.expected[orderid] else "OutOfStock",
        ]
        assert told[-1]["line"]["batchref"] == case.expected[orderid]
    assert [event["type"] for event in events].count("BatchQuantityChanged") == 1
    for batch in [batch for event in events for batch in event["batches"]]:
        assert 0 <= batch["allocated"] <= batch["qty"]


def test_a_hundred_runs_give_one_result() -> None:
    # W12
    assert len({outcomes() for _ in range(100)}) == 1


def test_the_hash_seed_decides_nothing() -> None:
    # W12
    program = [sys.executable, "-m", "tests.model.shrink_cases"]
    results = {
        subprocess.run(program, env=os.environ | {"PYTHONHASHSEED": str(seed)}, capture_output=True, check=True).stdout
        for seed in (0, 1, 2, 3, 4, 5, 6, 4_294_967_295)
    }
    assert results == {outcomes().encode() + b"\n"}
