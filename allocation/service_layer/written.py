"""Adds to each outcome what its command has written, after the commit."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from allocation.service_layer.outcomes import Done, Outcome, Written
from allocation.service_layer.unit_of_work import CommittedEvents

MOST_EVENTS = 16


class Executed(NamedTuple):
    """The outcome of a command, and the slice of its transaction's new events that it has caused.

    `repeats` says that it found a stored outcome, or a line or a batch that already was as it asked.
    """

    outcome: Outcome
    first: int
    end: int
    repeats: bool


def outcomes_of(executed: Iterable[Executed], committed: CommittedEvents, new_events: int) -> list[Outcome]:
    """Return the outcomes. Each Done has what its command has written, if the store has a log.

    The last `new_events` events of `committed` are new.
    """
    if not committed.position:
        return [one.outcome for one in executed]
    start = len(committed.events) - new_events
    return [with_written(one, committed, start) for one in executed]


def with_written(executed: Executed, committed: CommittedEvents, start: int) -> Outcome:
    outcome, first, end, repeats = executed
    if not isinstance(outcome, Done) or (first == end and not repeats):
        return outcome
    is_known = not repeats and end - first <= MOST_EVENTS
    events = committed.events[start + first : start + end] if is_known else None
    return replace(outcome, written=Written(events, *committed.history, committed.position))
