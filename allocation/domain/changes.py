from dataclasses import dataclass, field
from typing import NamedTuple

from allocation.domain.events import Event
from allocation.domain.model import Batch, TrackedLine


class Origin(NamedTuple):
    """Where a command comes from: the name of its caller, and the correlation id of its request. None is unknown."""

    actor: str | None = None
    correlation_id: str | None = None


UNKNOWN = Origin()


@dataclass(slots=True)
class Changes:
    """The changes of all products of a unit of work, in order.

    `origins` holds the origin of each event. The message bus adds them. `touched` holds the lines and batches that
    `events` changed, once per event. `repeated` holds the lines and batches that already were as a command asked.
    """

    events: list[Event] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    touched: list[TrackedLine | Batch] = field(default_factory=list)
    repeated: list[TrackedLine | Batch] = field(default_factory=list)
