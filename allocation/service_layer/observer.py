"""What a message bus reports about itself. The process that builds the bus decides what becomes of it."""

from collections.abc import Sequence

from allocation.domain.commands import Command
from allocation.domain.events import Event
from allocation.service_layer.idempotency import StillRunning
from allocation.service_layer.outcomes import Outcome
from allocation.service_layer.unit_of_work import Busy, RetryableError


class Observer:
    """Ignores everything. A subclass overrides what it needs.

    Any thread may call it. It must return at once, and must not raise.
    """

    def executed(self, command: type[Command], outcomes: Sequence[Outcome]) -> None:
        """Commands of this type have these outcomes, which their clients get next."""

    def committed(self, commands: int, seconds: float, events: Sequence[Event]) -> None:
        """A transaction with so many commands has appended these events. It took so many seconds."""

    def retried(self, error: RetryableError) -> None:
        """The bus repeats a transaction because of this error."""

    def timed_out(self, error: Busy | StillRunning) -> None:
        """A transaction has waited too long for a lock."""


UNOBSERVED = Observer()
