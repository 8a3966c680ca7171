"""What a web worker logs while the database is unavailable."""

import logging

from allocation.adapters.postgres.checks.readiness import LOCKED
from allocation.domain.errors import Refusal
from allocation.service_layer.idempotency import KeyReused
from allocation.service_layer.outcomes import Done, Outcome
from allocation.service_layer.unit_of_work import Busy, StoreUnavailable
from readmodel.outage import Outage

logger = logging.getLogger(__name__)


class DatabaseOutage:
    """Logs the outages of the database that commands and checks meet. Any number of threads may share it."""

    def __init__(self) -> None:
        self._commands = Outage(logger)
        self._checks = Outage(logger)

    def note(self, outcome: Outcome) -> None:
        """Note what the message bus has returned or raised. A command that waits for a lock says nothing."""
        if isinstance(outcome, Done | Refusal | KeyReused):
            self._commands.over("Commands are executed")
        elif isinstance(outcome, StoreUnavailable) and outcome.store:
            self._commands.failed("Commands get a 503", outcome)

    def note_check(self, reason: str | None) -> None:
        """Note why the worker is not ready to execute commands."""
        if reason is None:
            self._checks.over("The worker is ready")
        else:
            error = Busy(reason) if reason == LOCKED else StoreUnavailable(reason)
            self._checks.failed("The worker is not ready", error)
