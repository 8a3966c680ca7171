"""A command that comes with a key is carried out once, and whoever sends it again gets what the first one got."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from allocation.domain.changes import Changes
from allocation.domain.errors import Refusal

Answer = dict[str, Any] | None
"""What a command has to say besides that it was carried out: plain JSON data."""


@dataclass(frozen=True, slots=True)
class Done:
    """The command was carried out."""

    answer: Answer = None


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """`scope` is who sent it and where to, `value` the key they chose, `fingerprint` tells one body from another."""

    scope: str
    value: str
    fingerprint: str

    @property
    def identity(self) -> tuple[str, str]:
        return self.scope, self.value


class KeyReused(Exception):
    """The key came with another body before. Nothing was done."""

    def __init__(self, key: IdempotencyKey) -> None:
        super().__init__(f"The idempotency key {key.value} was used for another body")


class StillRunning(Exception):
    """The first command with this key has not ended yet, and this one can't wait any longer. Nothing was done."""


class Effects(NamedTuple):
    """Events of a product, by their versions: to be handed on again to whoever sends the command again."""

    sku: str
    first: int
    last: int


def effects_since(events: int, repeated: int, changes: Changes) -> list[Effects]:
    """What was done, or found done, beyond so many events and repetitions of a unit of work."""
    spans: dict[str, Effects] = {}
    for event in changes.events[events:]:
        first = spans[event.sku].first if event.sku in spans else event.version
        spans[event.sku] = Effects(event.sku, first, event.version)
    return [*spans.values(), *(Effects(row.sku, row.version, row.version) for row in changes.repeated[repeated:])]


class Outcomes(Protocol):
    """The outcomes of commands with keys. The keys of a unit of work are locked before anything else.

    Raises StillRunning where another one holds a key for too long.
    """

    def earlier(self, key: IdempotencyKey) -> Done | Refusal | None:
        """What the first command with this key came to; None where this is the first. Raises KeyReused.

        The events of the first are handed on again by the commit.
        """

    def keep(self, key: IdempotencyKey, outcome: Done | Refusal, effects: Sequence[Effects]) -> None:
        """To be stored by the commit."""
