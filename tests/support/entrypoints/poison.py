"""Events and messages that make a handler fail, and what becomes of them."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine, text

from allocation.adapters.postgres.dead_letters import DEAD, RETRY, WAITING, Letter, Selection, drop, mark_for_retry
from allocation.adapters.postgres.dead_letters import letters as read_letters
from allocation.service_layer.unit_of_work import LoggedEvent

TAKE_DATA = text("SELECT position, CAST(data AS text) FROM events WHERE sku = :sku AND version = :version")
SET_DATA = text("UPDATE events SET data = CAST(:data AS json) WHERE position = :position")
REMOVE_MEMBER = text("""
    UPDATE events SET data = CAST(CAST(data AS jsonb) - CAST(:member AS text) AS json) WHERE position = :position
""")
INSERT = text("""
    INSERT INTO events (sku, version, type, last, data)
    VALUES (:sku, :version, 'Allocated', true, CAST(:data AS json)) RETURNING position
""")


class DamagedEvent:
    """An event of the log whose data was changed. `repair` restores them."""

    def __init__(self, engine: Engine, sku: str, version: int) -> None:
        self._engine = engine
        with engine.connect() as connection:
            self.position, self._data = connection.execute(TAKE_DATA, {"sku": sku, "version": version}).one()

    def without(self, member: str) -> "DamagedEvent":
        self._execute(REMOVE_MEMBER, member=member)
        return self

    def with_data(self, data: str) -> "DamagedEvent":
        self._execute(SET_DATA, data=data)
        return self

    def repair(self) -> None:
        self._execute(SET_DATA, data=self._data)

    def _execute(self, statement: Any, **parameters: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement, {"position": self.position, **parameters})


def insert_poison(engine: Engine, sku: str, version: int = 1, data: str = '{"type": "Allocated"}') -> int:
    """Append an event without its other members to the log, and return its position."""
    with engine.begin() as connection:
        return int(connection.execute(INSERT, {"sku": sku, "version": version, "data": data}).scalar_one())


def letters(engine: Engine, subscription: str | None = None) -> list[Letter]:
    with engine.connect() as connection:
        return list(read_letters(connection, [DEAD, RETRY, WAITING], subscription))


def states(engine: Engine, subscription: str | None = None) -> list[tuple[str, int | None, str]]:
    """Return the subject, the version and the state of each letter, the oldest first."""
    return [(letter.subject, letter.version, letter.state) for letter in letters(engine, subscription)]


def retry_all(engine: Engine) -> None:
    with engine.begin() as connection:
        assert mark_for_retry(connection, Selection(all=True)), "no letter is dead"


def drop_all(engine: Engine) -> None:
    with engine.begin() as connection:
        assert drop(connection, Selection(all=True)), "no letter is dead"


class Recorder:
    """A handler that needs the member `line`. It records the events that it has handled, such as "S2"."""

    def __init__(self) -> None:
        self.handled: list[str] = []
        self.calls = 0

    def __call__(self, events: Sequence[LoggedEvent]) -> None:
        self.calls += 1
        self.handled += [f"{event['sku']}{event['version']}" for event in events if event["line"]["orderid"]]


def has_states(engine: Engine, *expected: tuple[str, int, str]) -> Callable[[], bool]:
    return lambda: states(engine) == [*expected]


PARKED = (("S", 2, "dead"), ("S", 3, "waiting"))
