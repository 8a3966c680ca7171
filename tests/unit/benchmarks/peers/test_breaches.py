"""The oversell check accepts a correct outcome, and reports each planted defect."""

import pytest

from benchmarks.peers.breaches import breaches
from benchmarks.peers.stored import StoredLine

STOCK = {"batch-1": 3, "batch-2": 2}
ACKNOWLEDGED = {"a": 2, "b": 1, "c": 2, "d": 1}
STORED = [
    StoredLine("a", 2, "batch-1"),
    StoredLine("b", 1, "batch-1"),
    StoredLine("c", 2, "batch-2"),
    StoredLine("d", 1, None),
]


def test_full_batches_and_a_waiting_line_are_correct() -> None:
    assert list(breaches(STOCK, ACKNOWLEDGED, STORED)) == []


def test_unallocated_units_are_correct() -> None:
    assert list(breaches(STOCK, {"a": 2}, STORED[:1])) == []


@pytest.mark.parametrize(
    ("acknowledged", "stored", "breach"),
    [
        ({**ACKNOWLEDGED, "e": 1}, [*STORED, StoredLine("e", 1, "batch-2")], "batch batch-2 has 2 units, and 3 are"),
        (ACKNOWLEDGED, [*STORED[:3], StoredLine("d", 1, "batch-9")], "batch batch-9 has 0 units, and 1 are"),
        (ACKNOWLEDGED, [*STORED, StoredLine("d", 1, None)], "order d is stored 2 times"),
        ({**ACKNOWLEDGED, "e": 1}, STORED, "1 acknowledged lines are not stored, for example e"),
        ({"a": 2, "b": 1, "c": 2}, STORED, "1 stored lines were not acknowledged, for example d"),
        ({**ACKNOWLEDGED, "b": 2}, STORED, "1 lines are stored with another quantity, for example b"),
    ],
    ids=["oversold", "unknown batch", "stored twice", "lost", "not acknowledged", "other quantity"],
)
def test_a_planted_defect_is_reported(acknowledged: dict[str, int], stored: list[StoredLine], breach: str) -> None:
    [found] = breaches(STOCK, acknowledged, stored)
    assert breach in found


def test_a_line_on_two_batches_is_reported() -> None:
    [found] = breaches(STOCK, {"a": 1}, [StoredLine("a", 1, "batch-1"), StoredLine("a", 1, "batch-2")])
    assert found == "order a is stored 2 times"
