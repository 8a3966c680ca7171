"""What a batch's shrinking leads to, as a table. Run as a program it prints the outcomes, for a given hash seed."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from allocation.domain.commands import Allocate, ChangeBatchQuantity, Command, CreateBatch
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import Begin, LoggedEvent
from tests.support.fakes import FakeStore

SOON, LATER = date(2027, 1, 15), date(2027, 3, 1)


class Case(NamedTuple):
    """`before` is a batch b1 of that quantity, the lines that are put on it, and what else happens; then b1 shrinks."""

    reason: str
    qty: int
    lines: Sequence[tuple[str, int]]
    shrunk_to: int
    expected: Mapping[str, str | None]
    more: Sequence[Command] = ()


B2 = CreateBatch("b2", "S", 100, SOON)
CASES = [
    Case(
        "the latest loses, though it is the small one",
        101,
        [("big", 100), ("small", 1)],
        100,
        {"big": "b1", "small": None},
    ),
    Case(
        "the latest loses, though it is the large one",
        101,
        [("small", 1), ("big", 100)],
        100,
        {"small": "b1", "big": None},
    ),
    Case("nobody loses what still fits", 20, [("o1", 5), ("o2", 5)], 10, {"o1": "b1", "o2": "b1"}),
    Case("cut to zero", 10, [("o1", 4), ("o2", 6)], 0, {"o1": None, "o2": None}),
    Case("two victims", 12, [("o1", 4), ("o2", 4), ("o3", 4)], 5, {"o1": "b1", "o2": None, "o3": None}),
    Case("the victim fits elsewhere", 10, [("o1", 5), ("o2", 5)], 5, {"o1": "b1", "o2": "b2"}, [B2]),
    Case("all of them fit elsewhere", 10, [("o1", 5), ("o2", 5)], 0, {"o1": "b2", "o2": "b2"}, [B2]),
    Case(
        "a victim that fits into what a later victim leaves",
        10,
        [("o1", 2), ("o2", 3), ("o3", 5)],
        4,
        {"o1": "b1", "o2": None, "o3": None},
    ),
    Case(
        "an older victim is placed before a younger one",
        12,
        [("o1", 6), ("o2", 6)],
        0,
        {"o1": "b2", "o2": None},
        [CreateBatch("b2", "S", 6, SOON)],
    ),
    Case(
        "a waiting line fits the freed rest",
        10,
        [("o1", 4), ("o2", 6)],
        9,
        {"o1": "b1", "o2": None, "w": "b1"},
        [Allocate("w", "S", 5)],
    ),
    Case(
        "a victim comes before a line that arrived after it",
        10,
        [("o1", 4), ("o2", 6)],
        4,
        {"o1": "b1", "o2": "b2", "w": None},
        [CreateBatch("b2", "S", 6, SOON), Allocate("w", "S", 7)],
    ),
    Case(
        "the victims go to the earliest batch with room",
        10,
        [("o1", 10)],
        9,
        {"o1": "b3"},
        [CreateBatch("b2", "S", 20, LATER), CreateBatch("b3", "S", 20, SOON)],
    ),
]


def outcome(case: Case, begin: Begin) -> tuple[dict[str, str | None], list[LoggedEvent]]:
    """Where each line is in the end, and the events of the shrinking."""
    events: list[LoggedEvent] = []
    bus = MessageBus(begin, events.extend)
    assert list(bus.handle_all([CreateBatch("b1", "S", case.qty)])) == [Done()]
    assert set(bus.handle_all([Allocate(orderid, "S", qty) for orderid, qty in case.lines])) == {Done()}
    assert set(bus.handle_all(case.more)) <= {Done()}
    lines = {event["line"]["orderid"]: event["line"]["batchref"] for event in events if "line" in event}
    events.clear()
    bus.handle(ChangeBatchQuantity("b1", case.shrunk_to))
    lines |= {event["line"]["orderid"]: event["line"]["batchref"] for event in events if "line" in event}
    return lines, events


def outcomes() -> str:
    return json.dumps([outcome(case, FakeStore().begin) for case in CASES], sort_keys=True)


if __name__ == "__main__":
    print(outcomes())  # noqa: T201
