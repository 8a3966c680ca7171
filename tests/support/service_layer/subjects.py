"""The same test on several stores: a test with one of these marks gets each store as the fixture `subject`."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from allocation.domain.commands import Command
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import Begin, CommittedEvents, LoggedEvent


class Subject:
    """A store under test.

    `begin` opens a unit of work. `log` returns every logged event. `published` holds the events that `bus` published.
    """

    def __init__(self, begin: Begin, log: Callable[[], list[LoggedEvent]]) -> None:
        self.begin = begin
        self.log = log
        self.published: list[LoggedEvent] = []
        self.bus = MessageBus(begin, self._publish, commands_together=100)

    def _publish(self, committed: CommittedEvents) -> None:
        self.published += committed.events

    def commit(self, *commands: Command) -> None:
        """Handle commands that must succeed and have no result."""
        assert set(self.bus.handle_all(commands)) <= {Done()}


every_store = pytest.mark.parametrize("subject", ["fake", "csv", "postgresql"], indirect=True)
# A folder of CSV files has no log, no waiting lines and no idempotency keys.
stores_with_a_log = pytest.mark.parametrize("subject", ["fake", "postgresql"], indirect=True)
stores_that_keep_waiting_lines = stores_with_a_log
stores_that_keep_keys = stores_with_a_log


def logged(engine: Engine) -> list[LoggedEvent]:
    """Return every event in the log of this database, oldest first."""
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT data FROM events ORDER BY position")).scalars())
