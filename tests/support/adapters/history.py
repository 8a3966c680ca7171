"""Readers of a log whose history changes."""

from typing import NamedTuple

from sqlalchemy import Engine, text

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.service_layer.unit_of_work import FIRST_EPOCH


class Place(NamedTuple):
    """A reader's place in the log."""

    cursor: int
    identity: str
    epoch: int = FIRST_EPOCH
    mark: str = ""


def execute(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def applied(log: EventLog) -> list[Place]:
    """Return the place of a reader that has applied the whole log."""
    page, cursor = log.read(0)
    return [Place(cursor, log.identity(), FIRST_EPOCH, page.mark)]


def described_otherwise(part: int, value: str = "0") -> str:
    """Return an expression for the description of the server, with another value of this part."""
    parts = [f"split_part(server, '/', {number + 1})" for number in range(3)]
    parts[part] = f"'{value}'"
    return " || '/' || ".join(parts)
