"""Adds to each outcome what its command has written, after the commit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from allocation.service_layer.idempotency import EventRange
from allocation.service_layer.outcomes import Done, Outcome, Written
from allocation.service_layer.unit_of_work import CommittedEvents, LoggedEvent


class Executed(NamedTuple):
    """The outcome of a command, and the ranges of the events that it has caused or repeats."""

    outcome: Outcome
    ranges: Sequence[EventRange]


def outcomes_of(executed: Iterable[Executed], committed: CommittedEvents) -> list[Outcome]:
    """Return the outcomes. Each Done has what its command has written, if the store has a log."""
    if not committed.position:
        return [one.outcome for one in executed]
    events = {(event["sku"], event["version"]): event for event in committed.events}
    return [with_written(one, events, committed) for one in executed]


def with_written(
    executed: Executed, events: Mapping[tuple[str, int], LoggedEvent], committed: CommittedEvents
) -> Outcome:
    if not isinstance(executed.outcome, Done):
        return executed.outcome
    names = ((found.sku, version) for found in executed.ranges for version in range(found.first, found.last + 1))
    own = [events[name] for name in names if name in events]
    return replace(executed.outcome, written=Written(own, committed.identity, committed.epoch, committed.position))
