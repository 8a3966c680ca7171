"""A command with an idempotency key is executed once. A client that sends it again gets the stored outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from allocation.domain.changes import Changes
from allocation.domain.errors import Refusal
from allocation.service_layer.outcomes import Done


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """`scope` is the caller and the route, `value` is the caller's key, and `fingerprint` identifies the command."""

    scope: str
    value: str
    fingerprint: str

    @property
    def primary_key(self) -> tuple[str, str]:
        return self.scope, self.value


class KeyReused(Exception):
    """The client used the key for another body before. Nothing was done."""

    def __init__(self, key: IdempotencyKey) -> None:
        super().__init__(f"The idempotency key {key.value} was used for another body")


class StillRunning(Exception):
    """The first command with this key is still running, and this one can't wait any longer. Nothing was done."""


class EventRange(NamedTuple):
    """The events of a product from version `first` to version `last`."""

    sku: str
    first: int
    last: int


def event_ranges_since(events: int, repeated: int, changes: Changes) -> list[EventRange]:
    """Return the ranges of what was recorded and repeated after the first `events` and `repeated` changes."""
    ranges: dict[str, EventRange] = {}
    for event in changes.events[events:]:
        first = ranges[event.sku].first if event.sku in ranges else event.version
        ranges[event.sku] = EventRange(event.sku, first, event.version)
    return [*ranges.values(), *repeated_ranges(changes, repeated)]


def repeated_ranges(changes: Changes, start: int = 0) -> list[EventRange]:
    """Return the last event of each row that a command asked for again."""
    return [EventRange(row.sku, row.version, row.version) for row in changes.repeated[start:]]


class IdempotencyKeys(Protocol):
    """The keys of a unit of work, which locks them before anything else.

    Opening the unit of work raises StillRunning if another one holds a key for too long.
    """

    def find_outcome(self, key: IdempotencyKey) -> Done | Refusal | None:
        """Return the outcome of the first command with this key, or None if this is the first. Raises KeyReused.

        The commit then publishes the events of the first command again.
        """

    def store_outcome(self, key: IdempotencyKey, outcome: Done | Refusal, events: Sequence[EventRange]) -> None:
        """Have the commit store the outcome."""
