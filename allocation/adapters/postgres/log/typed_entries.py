"""Reads the events of some types, for the subscriptions."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, text

from allocation.adapters.postgres.driver.arrays import array
from allocation.adapters.postgres.log.fence import last_position_and_fence
from allocation.adapters.postgres.log.history import is_name, name_of

SEARCHED_AT_ONCE = 100_000

READ_EVENTS_OF_TYPES = text("""
    SELECT position, sku, CAST(data AS text) AS data FROM events
    WHERE position > :after AND position <= :upto AND type = ANY(CAST(:types AS text[])) ORDER BY position LIMIT :limit
""")
READ_EVENTS = text("""
    SELECT position, CAST(data AS text) FROM events WHERE position = ANY(CAST(:positions AS bigint[])) ORDER BY position
""")


class LogEntry(NamedTuple):
    """An event with its place in the log. `data` is JSON text."""

    position: int
    sku: str
    data: str

    @property
    def event(self) -> Any:
        """The parsed event. Raise ValueError if it can't be parsed: PostgreSQL accepts a few texts more."""
        return orjson.loads(self.data)

    @property
    def correlation_id(self) -> str | None:
        """The id of the request that caused the event, or None if the event does not have it, or can't be parsed."""
        with suppress(ValueError, LookupError, TypeError):
            return str(self.event["correlation_id"])
        return None

    @property
    def name(self) -> str:
        return name_of(self.position, self.data)


def read_types(
    connection: Connection, types: Sequence[str], after: int, *, upto: int | None = None, limit: int = 1_000
) -> tuple[list[LogEntry], int]:
    """Return up to `limit` events of these types after `after`, in order, and the next cursor.

    The reader has then received every event of these types at or below that cursor. This function does not read beyond
    position `upto`. It returns `after` as the cursor until a later position is final. The connection is in autocommit.
    """
    _, fence = last_position_and_fence(connection)
    end = min(fence, after + SEARCHED_AT_ONCE, fence if upto is None else upto)
    wanted = {"types": array(types), "after": after, "upto": end, "limit": limit}
    entries = [LogEntry(*row) for row in connection.execute(READ_EVENTS_OF_TYPES, wanted)]
    return entries, entries[-1].position if len(entries) == limit else max(after, end)


def positions_of(connection: Connection, names: Sequence[str]) -> list[int]:
    """Return the positions of the events that have one of these names, in order."""
    wanted = {name for name in names if is_name(name)}
    positions = [int(name.partition(" ")[0]) for name in wanted]
    rows = connection.execute(READ_EVENTS, {"positions": positions}).all()
    return [row.position for row in rows if name_of(*row) in wanted]
