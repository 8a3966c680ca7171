"""A batch that shrinks loses the lines that were allocated last. Nothing else decides which lines it loses."""

import os
import subprocess
import sys

import pytest

from allocation.service_layer.unit_of_work import LoggedEvent
from tests.model.shrink_cases import CASES, Case, outcome, outcomes
from tests.support.service_layer.fakes import FakeStore


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reason.replace(" ", "-"))
def test_shrinking_batch_loses_its_latest_lines(case: Case) -> None:
    lines, events = outcome(case, FakeStore().begin)
    assert lines == case.expected
    assert_events_are_complete(case, events)


def assert_events_are_complete(case: Case, events: list[LoggedEvent]) -> None:
    """Check that each displaced line has a second event, and that no event shows an overallocated batch."""
    displaced = [event["line"]["orderid"] for event in events if event["type"] == "Displaced"]
    for orderid in displaced:
        own = [event for event in events if event.get("line", {}).get("orderid") == orderid]
        assert [event["type"] for event in own] == [
            "Displaced",
            "Allocated" if case.expected[orderid] else "OutOfStock",
        ]
        assert own[-1]["line"]["batchref"] == case.expected[orderid]
    assert [event["type"] for event in events].count("BatchQuantityChanged") == 1
    for batch in [batch for event in events for batch in event["batches"]]:
        assert 0 <= batch["allocated"] <= batch["qty"]


def test_shrinking_has_one_result_in_a_hundred_runs() -> None:
    assert len({outcomes() for _ in range(100)}) == 1


def test_shrinking_does_not_depend_on_the_hash_seed() -> None:
    """The seed differs in each process. It decides the order of sets, so no rule may depend on that order."""
    program = [sys.executable, "-m", "tests.model.shrink_cases"]
    results = {
        subprocess.run(program, env=os.environ | {"PYTHONHASHSEED": str(seed)}, capture_output=True, check=True).stdout
        for seed in (0, 1, 2, 3, 4, 5, 6, 4_294_967_295)
    }
    assert results == {outcomes().encode() + b"\n"}
