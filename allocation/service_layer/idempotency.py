"""The service executes a command with an idempotency key once. A repeated command gets the stored outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from allocation.domain.changes import Changes
from allocation.domain.errors import Refusal
from allocation.service_layer.outcomes import Done


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """`scope` names the client and the route. `value` is the client's key. `fingerprint` identifies the command."""

    scope: str
    value: str
    fingerprint: str

    @property
    def primary_key(self) -> tuple[str, str]:
        return self.scope, self.value


class KeyReused(Exception):
    """The client already used this key with a different body. The new command was not executed."""

    def __init__(self, key: IdempotencyKey) -> None:
        super().__init__(f"The idempotency key {key.value} was already used with a different body")


class StillRunning(Exception):
    """The first command with this key is still running. The new command waited too long and was not executed."""


class EventRange(NamedTuple):
    """The events of a product from version `first` to version `last`, both included."""

    sku: str
    first: int
    last: int


def event_ranges_since(events_before: int, repeated_before: int, changes: Changes) -> list[EventRange]:
    """Return the ranges of a command's events: one per product it changed, and one per line or batch it repeated.

    `events_before` and `repeated_before` are the lengths of `changes.events` and `changes.repeated` before the command.
    """
    ranges: dict[str, EventRange] = {}
    for event in changes.events[events_before:]:
        first = ranges[event.sku].first if event.sku in ranges else event.version
        ranges[event.sku] = EventRange(event.sku, first, event.version)
    return [*ranges.values(), *repeated_ranges(changes, repeated_before)]


def repeated_ranges(changes: Changes, start: int = 0) -> list[EventRange]:
    """Return a range with the last event of each line or batch in `changes.repeated[start:]`."""
    return [EventRange(row.sku, row.version, row.version) for row in changes.repeated[start:]]


class IdempotencyKeys(Protocol):
    """The idempotency keys of a unit of work.

    A new unit of work locks them before anything else. It raises StillRunning if a key stays locked for too long.
    `found_events` has the event ranges of each outcome that `find_outcome` has returned.
    """

    @property
    def found_events(self) -> list[EventRange]: ...

    def find_outcome(self, key: IdempotencyKey) -> Done | Refusal | None:
        """Return the outcome of the first command with this key, or None if no command used the key before.

        If it returns an outcome, the commit publishes the events of the first command again. Raise KeyReused if that
        command was different, and StoreUnavailable if this process can't read the outcome.
        """

    def store_outcome(self, key: IdempotencyKey, outcome: Done | Refusal, events: Sequence[EventRange]) -> None:
        """Have the commit store the outcome and the ranges of the command's events."""
