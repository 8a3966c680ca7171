"""Small events, and readers that page through the whole log."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.driver.transaction import PostgresTransaction
from allocation.adapters.postgres.log import event_log, typed_entries
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.events import Allocated, Event, LineState, OutOfStock, Totals
from allocation.service_layer.unit_of_work import FIRST_EPOCH, LoggedEvent

NOW = datetime.now(UTC)


def out_of_stock(sku: str, version: int) -> Event:
    return OutOfStock(sku, version, Totals(), (), LineState("o1", 1, "waiting", None, version))


def allocated(sku: str, version: int) -> Event:
    return Allocated(sku, version, Totals(), (), LineState("o1", 1, "allocated", "b1"))


def append(connection: Connection, *events: Event) -> None:
    """Append the events in the connection's transaction. The caller commits it."""
    append_logged(connection, events)


def append_logged(connection: Connection, events: Sequence[Event]) -> list[LoggedEvent]:
    """Do the same, and return the events as JSON data."""
    connection.execute(text("SELECT"))  # It begins the transaction of SQLAlchemy, which the caller ends.
    session: Any = connection.connection
    with session.cursor() as cursor:
        transaction = PostgresTransaction(cursor)
        appended = event_log.append(transaction, events, NOW, FIRST_EPOCH)
        transaction.send()
    return appended


def pages(log: EventLog, limit: int = 5_000) -> Iterator[list[str]]:
    """Read the log from its start. Yield each page as a list of SKUs with versions, such as "S1"."""
    cursor = 0
    while True:
        events, position = log.read(cursor, limit)
        if position == cursor:
            return
        yield names(events)
        cursor = position


def read_all(log: EventLog) -> list[str]:
    return [name for page in pages(log) for name in page]


def read_all_of_types(engine: Engine, *types: str, limit: int = 1_000) -> list[str]:
    seen, cursor = list[str](), 0
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        while True:
            entries, position = typed_entries.read_types(connection, types, cursor, limit=limit)
            seen += names(entry.event for entry in entries)
            if position == cursor:
                return seen
            cursor = position


def names(events: Iterable[LoggedEvent]) -> list[str]:
    return [f"{event['sku']}{event['version']}" for event in events]
