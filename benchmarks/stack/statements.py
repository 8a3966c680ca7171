"""Records the statements that the service sends to PostgreSQL for one command."""

from typing import Any

from sqlalchemy import Engine

from allocation.adapters.clock import utc_now
from allocation.adapters.postgres.driver.transaction import PostgresTransaction, Values
from allocation.adapters.postgres.idempotency import lock_keys
from allocation.adapters.postgres.log import event_log
from allocation.adapters.postgres.unit_of_work import SqlUnitOfWork
from allocation.domain.commands import Allocate
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.messagebus import run_handler
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import FIRST_EPOCH

Statement = tuple[str, Values | None]
"""A statement and its values."""


class Recorder(PostgresTransaction):
    """`sent` holds its statements, also those that still wait."""

    def __init__(self, cursor: Any) -> None:
        super().__init__(cursor)
        self.sent: list[Statement] = []

    def add(self, statement: str, values: Values | None = None) -> None:
        self.sent.append((statement, values))
        super().add(statement, values)

    def query(self, statement: str, values: Values | None = None) -> list[tuple[Any, ...]]:
        self.sent.append((statement, values))
        return super().query(statement, values)


def record_statements(engine: Engine, command: Allocate) -> list[Statement]:
    """Return what the service sends between BEGIN and COMMIT. The transaction is rolled back."""
    locks = CommandRequest(command).locks
    with engine.connect() as connection:
        recorder = Recorder(connection.connection.cursor())
        uow = SqlUnitOfWork(recorder, locks, lock_keys(recorder, (), locks.wait), utc_now)
        assert run_handler(command, uow) == Done()
        uow.products.save()
        event_log.append(recorder, uow.changes.events, utc_now(), FIRST_EPOCH)
        recorder.send()
    return recorder.sent
