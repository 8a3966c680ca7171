"""Reads the log in pages of whole transactions.

The events of a page stay text until a reader iterates over them.
"""

from collections.abc import Collection, Iterable, Iterator

import orjson
from sqlalchemy import Connection, text

from allocation.service_layer.unit_of_work import LoggedEvent

# Each row joins the events of up to 1,000 positions. With one row per event, the driver would need more time than the
# database. With one row per page, a large transaction could exceed the largest size of a row.
READ_PAGE = text("""
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
"""JSON text never contains this character: JSON escapes control characters."""


class EventPage(Collection[LoggedEvent]):
    """The events of a page. An iteration parses one event at a time, so that the page needs little memory.

    `texts` has them as JSON text. Their positions are above `after` and at most `reach`. `mark` names the last event at
    or below the page's cursor. `end` is the last assigned position.
    """

    def __init__(self, joined: Iterable[str | None], after: int, reach: int) -> None:
        self.mark, self.end = "", 0
        self.after, self.reach = after, reach
        self.texts = [event for part in joined if part is not None for event in part.split(SEPARATOR)]

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[LoggedEvent]:
        return map(orjson.loads, self.texts)

    def __contains__(self, event: object) -> bool:
        return any(event == other for other in self)


def read_whole_transactions(connection: Connection, after: int, upto: int, limit: int) -> tuple[EventPage, int]:
    """Return about `limit` events after position `after` and up to `upto`, and the cursor for the next page.

    The page has only whole transactions. If a transaction is larger than `limit`, the page is larger, too. If the page
    does not reach the end of a transaction, it omits the transaction. The cursor is then the position before the first
    event of that transaction. Otherwise, the cursor is the last position of a full page, or `upto`.
    """
    parts = connection.execute(READ_PAGE, {"after": after, "upto": upto, "limit": limit}).all()
    page = parts[0]
    full = page.rows == limit
    cursor = page.end if full else upto
    if page.first_torn is not None:
        cursor = page.first_torn - 1
    if cursor == after and full:
        return read_whole_transactions(connection, after, upto, 2 * limit)
    return EventPage((part.events for part in parts), after, page.end or after), cursor
