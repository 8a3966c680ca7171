"""What a message bus reports about itself. The process that builds the bus decides what becomes of it."""

import logging
from collections.abc import Callable, Sequence

from allocation.domain.commands import Command
from allocation.domain.events import Event
from allocation.service_layer.idempotency import StillRunning
from allocation.service_layer.outcomes import Outcome
from allocation.service_layer.unit_of_work import Busy, RetryableError

logger = logging.getLogger(__name__)


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


class Guarded(Observer):
    """Passes the reports on to an observer. If the observer raises, log its first error, and continue.

    A report comes after the commit or before the answer. Its error must not hide the outcome of a command.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._has_logged = False

    def executed(self, command: type[Command], outcomes: Sequence[Outcome]) -> None:
        self._report(self._observer.executed, command, outcomes)

    def committed(self, commands: int, seconds: float, events: Sequence[Event]) -> None:
        self._report(self._observer.committed, commands, seconds, events)

    def retried(self, error: RetryableError) -> None:
        self._report(self._observer.retried, error)

    def timed_out(self, error: Busy | StillRunning) -> None:
        self._report(self._observer.timed_out, error)

    def _report(self, report: Callable[..., None], *arguments: object) -> None:
        try:
            report(*arguments)
        except Exception:
            if not self._has_logged:
                self._has_logged = True
                logger.exception("The observer of the message bus fails. Commands do not wait for it")
