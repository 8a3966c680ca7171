"""A table of cases in which a batch shrinks.

As a program, this module prints the outcomes of all cases. So a test can compare processes with different hash seeds.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from allocation.domain.commands import Allocate, ChangeBatchQuantity, Command, CreateBatch
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import Begin, LoggedEvent
from tests.support.service_layer.fakes import FakeStore

SOON, LATER = date(2027, 1, 15), date(2027, 3, 1)


class Case(NamedTuple):
    """Batch b1 has `qty` units and gets `lines`. After the commands in `more`, it shrinks to `shrunk_to`.

    `expected` maps each order id to the reference of its batch, or to None if the line waits.
    """

    reason: str
    qty: int
    lines: Sequence[tuple[str, int]]
    shrunk_to: int
    expected: Mapping[str, str | None]
    more: Sequence[Command] = ()


B2 = CreateBatch("b2", "S", 100, SOON)
CASES = [
    Case(
        "the latest line is displaced although it is small",
        101,
        [("big", 100), ("small", 1)],
        100,
        {"big": "b1", "small": None},
    ),
    Case(
        "the latest line is displaced although it is large",
        101,
        [("small", 1), ("big", 100)],
        100,
        {"small": "b1", "big": None},
    ),
    Case("no line is displaced if all still fit", 20, [("o1", 5), ("o2", 5)], 10, {"o1": "b1", "o2": "b1"}),
    Case("a batch of zero loses every line", 10, [("o1", 4), ("o2", 6)], 0, {"o1": None, "o2": None}),
    Case(
        "two lines are displaced if one is not enough",
        12,
        [("o1", 4), ("o2", 4), ("o3", 4)],
        5,
        {"o1": "b1", "o2": None, "o3": None},
    ),
    Case("a displaced line gets another batch", 10, [("o1", 5), ("o2", 5)], 5, {"o1": "b1", "o2": "b2"}, [B2]),
    Case("all displaced lines get another batch", 10, [("o1", 5), ("o2", 5)], 0, {"o1": "b2", "o2": "b2"}, [B2]),
    Case(
        "displaced lines wait if the rest of their batch is too small",
        10,
        [("o1", 2), ("o2", 3), ("o3", 5)],
        4,
        {"o1": "b1", "o2": None, "o3": None},
    ),
    Case(
        "a displaced line returns to its batch if it fits into the room of a larger one",
        9,
        [("o1", 2), ("o2", 6), ("o3", 1)],
        4,
        {"o1": "b1", "o2": None, "o3": "b1"},
    ),
    Case(
        "the older of two displaced lines gets the other batch",
        12,
        [("o1", 6), ("o2", 6)],
        0,
        {"o1": "b2", "o2": None},
        [CreateBatch("b2", "S", 6, SOON)],
    ),
    Case(
        "a waiting line gets the room that a displaced line leaves",
        10,
        [("o1", 4), ("o2", 6)],
        9,
        {"o1": "b1", "o2": None, "w": "b1"},
        [Allocate("w", "S", 5)],
    ),
    Case(
        "a displaced line precedes a line that arrived later",
        10,
        [("o1", 4), ("o2", 6)],
        4,
        {"o1": "b1", "o2": "b2", "w": None},
        [CreateBatch("b2", "S", 6, SOON), Allocate("w", "S", 7)],
    ),
    Case(
        "a displaced line gets the batch with the earliest ETA",
        10,
        [("o1", 10)],
        9,
        {"o1": "b3"},
        [CreateBatch("b2", "S", 20, LATER), CreateBatch("b3", "S", 20, SOON)],
    ),
]


def outcome(case: Case, begin: Begin) -> tuple[dict[str, str | None], list[LoggedEvent]]:
    """Return the batch of each line by order id, and the events of the last command."""
    events: list[LoggedEvent] = []
    bus = MessageBus(begin, lambda committed: events.extend(committed.events))
    assert list(bus.handle_all([CreateBatch("b1", "S", case.qty)])) == [Done()]
    assert set(bus.handle_all([Allocate(orderid, "S", qty) for orderid, qty in case.lines])) == {Done()}
    assert set(bus.handle_all(case.more)) <= {Done()}
    lines = {event["line"]["orderid"]: event["line"]["batchref"] for event in events if "line" in event}
    events.clear()
    bus.handle(ChangeBatchQuantity("b1", case.shrunk_to))
    lines |= {event["line"]["orderid"]: event["line"]["batchref"] for event in events if "line" in event}
    return lines, events


def outcomes() -> str:
    """Return the outcome of every case as JSON."""
    return json.dumps([outcome(case, FakeStore().begin) for case in CASES], sort_keys=True)


if __name__ == "__main__":
    print(outcomes())  # noqa: T201
