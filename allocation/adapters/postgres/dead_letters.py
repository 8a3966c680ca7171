"""The dead letters as an operator sees them: events and messages that a handler could not handle.

A letter is in one of three states:

- retry: the handler failed, and its process tries again when the letter is due
- dead: every attempt has failed, and an operator must decide
- waiting: an earlier letter with the same subject is not handled yet

The operator only changes rows. The process that runs the handler acts on them: see `parked_events.py`,
`parked_messages.py` and `log/view_letters.py`.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from allocation.adapters.postgres.driver.arrays import array

VIEWS = "views"
"""The name under which events are parked that the views can't apply."""
DEAD, WAITING, RETRY = "dead", "waiting", "retry"

READ_COUNTS = text("""
    SELECT subscription, count(*) FILTER (WHERE state = 'dead'), count(*) FILTER (WHERE state = 'waiting'),
           count(*) FILTER (WHERE state = 'retry')
    FROM dead_letters GROUP BY subscription ORDER BY subscription
""")
COLUMNS = """
    letter.id, letter.subscription, letter.subject, letter.state, letter.attempts, letter.error, letter.failed_at,
    letter.parked_at, letter.position, letter.version, letter.type, letter.data, letter.message
"""
READ_LETTERS = text(f"""
    SELECT {COLUMNS} FROM dead_letters AS letter
    WHERE (:name IS NULL OR subscription = :name) AND state = ANY(CAST(:states AS text[])) AND id > :after
    ORDER BY id LIMIT 1000
""")
READ_LETTER = text(f"SELECT {COLUMNS} FROM dead_letters AS letter WHERE id = :id")
READ_FIRST = text("""
    SELECT id FROM dead_letters WHERE subscription = :name AND subject = :subject ORDER BY position, id LIMIT 1
""")
COUNT_BEHIND = text("""
    SELECT count(*) FROM dead_letters WHERE subscription = :name AND subject = :subject AND state = 'waiting'
""")
SELECTED = """
    WHERE CASE WHEN :all THEN state = 'dead' AND (:name IS NULL OR subscription = :name)
          ELSE id = ANY(CAST(:ids AS bigint[])) END
"""
# Attempts start again. Otherwise one more failure would make the letter dead again at once. A message that is not dead
# keeps its time, because it may be the end of a lease: see `parked_messages.py`.
MARK_FOR_RETRY = text(f"""
    UPDATE dead_letters
    SET state = 'retry', attempts = 0,
        due_at = CASE WHEN state = 'retry' AND message IS NOT NULL THEN due_at ELSE clock_timestamp() END
    {SELECTED} AND state <> 'waiting' RETURNING id
""")
DROP = text(f"DELETE FROM dead_letters {SELECTED} RETURNING id")


class Counts(NamedTuple):
    """The numbers of letters in each state."""

    dead: int
    waiting: int
    retrying: int


class Letter(NamedTuple):
    """`subject` is the SKU of an event, or the batch of a message. Later ones with the same subject wait.

    An event has `position`, `version`, `type` and `data`, as they were when it was parked. A message has `message`.
    """

    id: int
    subscription: str
    subject: str
    state: str
    attempts: int
    error: str | None
    failed_at: datetime | None
    parked_at: datetime
    position: int | None
    version: int | None
    type: str | None
    data: Any
    message: bytes | None


class Selection(NamedTuple):
    """The letters with these ids, or all dead letters, or all dead letters of a subscription."""

    ids: Sequence[int] = ()
    all: bool = False
    subscription: str | None = None

    def parameters(self) -> dict[str, object]:
        return {"ids": array(self.ids), "all": self.all, "name": self.subscription}


def counts(connection: Connection) -> dict[str, Counts]:
    """Map each subscription with letters to their numbers. VIEWS and the consumer's channel count as subscriptions."""
    return {name: Counts(*numbers) for name, *numbers in connection.execute(READ_COUNTS)}


def letters(connection: Connection, states: Sequence[str], subscription: str | None = None) -> Iterator[Letter]:
    """Yield the letters in these states, the oldest first."""
    after = 0
    while True:
        wanted = {"name": subscription, "states": array(states), "after": after}
        page = [letter_from(row) for row in connection.execute(READ_LETTERS, wanted)]
        yield from page
        if not page:
            return
        after = page[-1].id


def letter(connection: Connection, number: int) -> Letter | None:
    row = connection.execute(READ_LETTER, {"id": number}).first()
    return None if row is None else letter_from(row)


def letter_from(row: Any) -> Letter:
    found = Letter(*row)
    return found if found.message is None else found._replace(message=bytes(found.message))  # It is a memoryview.


def waiting_behind(connection: Connection, found: Letter) -> int:
    """Return how many letters wait for the same subject."""
    return int(connection.execute(COUNT_BEHIND, {"name": found.subscription, "subject": found.subject}).scalar_one())


def first_with_subject(connection: Connection, found: Letter) -> int:
    """Return the id of the letter behind which the letter waits, or its own id if it is the first."""
    return int(connection.execute(READ_FIRST, {"name": found.subscription, "subject": found.subject}).scalar_one())


def mark_for_retry(connection: Connection, selection: Selection) -> list[int]:
    """Mark the letters, unless they wait behind another one. Return their ids. The caller commits."""
    return list(connection.execute(MARK_FOR_RETRY, selection.parameters()).scalars())


def drop(connection: Connection, selection: Selection) -> list[int]:
    """Delete the letters. Nobody will handle them, and those that wait behind them continue. Return their ids."""
    return list(connection.execute(DROP, selection.parameters()).scalars())
