"""The stores, for tests that hold all of them to the same promises: `@every_store` and the fixture `subject`."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from allocation.domain.commands import Command
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import Begin, LoggedEvent


class Subject:
    """A way to open units of work, and to see what was logged. `handed_on` is what `bus` has handed on."""

    def __init__(self, begin: Begin, log: Callable[[], list[LoggedEvent]]) -> None:
        self.begin = begin
        self.log = log
        self.handed_on: list[LoggedEvent] = []
        self.bus = MessageBus(begin, self.handed_on.extend, most_together=100)

    def commit(self, *commands: Command) -> None:
        assert set(self.bus.handle_all(commands)) <= {Done()}


every_store = pytest.mark.parametrize("subject", ["fake", "csv", "postgresql"], indirect=True)
# Files of batches and allocations have no place for a log, nor for a line that is on no batch, nor for keys.
stores_with_a_log = pytest.mark.parametrize("subject", ["fake", "postgresql"], indirect=True)
stores_that_keep_waiting_lines = stores_with_a_log
stores_that_keep_keys = stores_with_a_log


def logged(engine: Engine) -> list[LoggedEvent]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT data FROM events ORDER BY position")).scalars())
