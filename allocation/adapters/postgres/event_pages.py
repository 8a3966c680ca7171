"""Pages of the log: whole transactions, whose events stay text until a reader iterates over them."""

from collections.abc import Collection, Iterable, Iterator

import orjson
from sqlalchemy import Connection, text

from allocation.service_layer.unit_of_work import LoggedEvent

# One row carries a thousand events: a row for each event would cost the driver more than it costs the database. The
# rows are no larger because a transaction has no largest size, but a row has.
READ = text("""
    WITH page AS (
        SELECT position, transaction, last FROM events
        WHERE position > :after AND position <= :upto ORDER BY position LIMIT :limit
    ), reach AS (
        SELECT count(*) AS rows, max(position) AS position FROM page
    ), torn AS (
        SELECT transaction, min(position) AS position FROM page GROUP BY transaction HAVING NOT bool_or(last)
    )
    SELECT reach.rows, reach.position AS end, (SELECT min(position) FROM torn) AS first_torn, part.events
    FROM reach LEFT JOIN LATERAL (
        SELECT position / 1000 AS number, string_agg(CAST(data AS text), chr(30) ORDER BY position) AS events
        FROM events
        WHERE position > :after AND position <= reach.position AND transaction NOT IN (SELECT transaction FROM torn)
        GROUP BY position / 1000
    ) AS part ON true
    ORDER BY part.number
""")
SEPARATOR = chr(30)
"""Occurs in no JSON text."""


class EventPage(Collection[LoggedEvent]):
    """The events of a page. Each one is parsed when it is its turn, so that they never fill the memory all at once."""

    def __init__(self, joined: Iterable[str | None]) -> None:
        self._texts = [one for part in joined if part is not None for one in part.split(SEPARATOR)]

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[LoggedEvent]:
        return map(orjson.loads, self._texts)

    def __contains__(self, event: object) -> bool:
        return any(event == other for other in self)


def read_whole_transactions(connection: Connection, after: int, upto: int, limit: int) -> tuple[EventPage, int]:
    """Return the complete transactions, and the position before the first incomplete one."""
    parts = connection.execute(READ, {"after": after, "upto": upto, "limit": limit}).all()
    page = parts[0]
    full = page.rows == limit
    cursor = page.end if full else upto
    if page.first_torn is not None:
        cursor = page.first_torn - 1
    if cursor == after and full:
        return read_whole_transactions(connection, after, upto, 2 * limit)
    return EventPage(part.events for part in parts), cursor
