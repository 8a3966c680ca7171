"""Records the statements that the service sends to PostgreSQL for one command."""

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.event import listen

from allocation.adapters.clock import utc_now
from allocation.adapters.postgres import event_log
from allocation.adapters.postgres.idempotency import lock_keys
from allocation.adapters.postgres.unit_of_work import SqlUnitOfWork
from allocation.domain.commands import Allocate
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.messagebus import run_handler
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import FIRST_EPOCH

Statement = tuple[str, Any]
"""A statement and its values."""


def record_statements(engine: Engine, command: Allocate) -> list[Statement]:
    """Return what the service sends between BEGIN and COMMIT. The transaction is rolled back."""
    sent: list[Statement] = []
    listen(engine, "before_cursor_execute", lambda *arguments: sent.append((arguments[2], arguments[3])))
    locks = CommandRequest(command).locks
    with engine.connect() as connection:
        uow = SqlUnitOfWork(connection, locks, lock_keys(connection, (), locks.wait), utc_now)
        assert run_handler(command, uow) == Done()
        uow.products.save()
        event_log.append(connection, uow.changes.events, utc_now(), FIRST_EPOCH)
    return list(sent)
