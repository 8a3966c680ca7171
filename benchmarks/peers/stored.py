"""Reads the stored lines of each contender in SQL, without the contender's code."""

from typing import NamedTuple

from sqlalchemy import Engine, text

SERVICE = "SELECT orderid, qty, batchref FROM order_lines"
BOOK = """
    SELECT orderid, qty, ref AS batchref
    FROM allocations JOIN order_lines ON order_lines.id = line_id JOIN batches ON batches.id = batch_id
"""
# The library stores an event as JSON in bytes. The topic names the class of the event.
EVENTSOURCED = """
    SELECT data->>'orderid' AS orderid, CAST(data->>'qty' AS bigint) AS qty, data->>'ref' AS batchref
    FROM (
        SELECT CAST(convert_from(state, 'UTF8') AS json) AS data
        FROM warehouse_events WHERE topic LIKE '%Product.Allocated'
    ) AS event
"""


class StoredLine(NamedTuple):
    """A line that waits has no batch."""

    orderid: str
    qty: int
    batchref: str | None


def count_lines(engine: Engine, stored: str) -> int:
    """Return the number of lines on a batch."""
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(batchref) FROM ({stored}) AS line")).scalar_one())


def read_lines(engine: Engine, stored: str, prefix: str) -> list[StoredLine]:
    """Return the lines of the orders with this prefix, in no particular order."""
    query = text(f"SELECT orderid, qty, batchref FROM ({stored}) AS line WHERE starts_with(orderid, :prefix)")
    with engine.connect() as connection:
        return [StoredLine(*row) for row in connection.execute(query, {"prefix": prefix})]
