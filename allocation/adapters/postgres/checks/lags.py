"""How far the views and the subscriptions are behind the log.

A cursor alone does not say that. A subscription stores its cursor rarely while the log has no event for it. So a lag
counts events: those above the cursor that the reader must handle and can handle now.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text

from allocation.adapters.postgres.driver.arrays import array
from allocation.adapters.postgres.log.fence import last_position_and_fence

MOST_COUNTED = 10_000
MOST_SEARCHED = 1_000_000
"""Positions. A search for the events of a few types may find none for a long way."""

READ_CURSORS = text("SELECT name, cursor FROM subscriptions ORDER BY name")
# Only the oldest event is parsed. A damaged moment must not prevent the count.
COUNT_MISSING = """
    WITH missing AS (
        SELECT position, data FROM events
        WHERE position > :after AND position <= :upto {condition} ORDER BY position LIMIT :limit
    )
    SELECT (SELECT count(*) FROM missing) AS events,
           (SELECT data->>'at' FROM missing ORDER BY position LIMIT 1) AS at, clock_timestamp() AS now
"""
COUNT_EVENTS = text(COUNT_MISSING.format(condition=""))
COUNT_EVENTS_OF_TYPES = text(COUNT_MISSING.format(condition="AND type = ANY(CAST(:types AS text[]))"))


class Lag(NamedTuple):
    """The number of events that a reader has not handled, and the age of the oldest one in seconds.

    If there are `more` events than this number, the count stopped early.
    """

    events: int
    seconds: float
    more: bool = False


def lag(connection: Connection, cursor: int, fence: int, types: Sequence[str] | None = None) -> Lag:
    """Return the lag of a reader of these event types, or of all types. The views read all types.

    Events above the fence do not count: no reader can handle them yet. If the fence is older than the cursor, events
    that the reader has just handled do not count either. Raise the driver's error.
    """
    upto = min(fence, cursor + MOST_SEARCHED)
    wanted = {"after": cursor, "upto": upto, "limit": MOST_COUNTED + 1}
    if types is None:
        row = connection.execute(COUNT_EVENTS, wanted).one()
    else:
        row = connection.execute(COUNT_EVENTS_OF_TYPES, wanted | {"types": array(types)}).one()
    return Lag(min(row.events, MOST_COUNTED), age(row), row.events > MOST_COUNTED or upto < fence)


def age(row: Row[Any]) -> float:
    """Return the age in seconds, or 0 if the moment is unknown. The clocks of writers and server may differ."""
    try:
        at = datetime.fromisoformat(row.at or "")
    except ValueError:
        return 0.0
    now: datetime = row.now
    return max(0.0, (now - (at if at.tzinfo else at.replace(tzinfo=UTC))).total_seconds())


def subscription_lags(connection: Connection, types_of: Mapping[str, Sequence[str]]) -> dict[str, Lag | None]:
    """Map the name of each subscription to its lag. A subscription without known types has None.

    Each statement needs a snapshot of its own. Raise StoreUnavailable on a standby. Also raise the driver's error.
    """
    _, fence = last_position_and_fence(connection)
    # After the fence: a cursor that has moved meanwhile does not count as a lag.
    cursors = {row.name: row.cursor for row in connection.execute(READ_CURSORS)}
    return {
        name: lag(connection, cursor, fence, types_of[name]) if name in types_of else None
        for name, cursor in cursors.items()
    }
