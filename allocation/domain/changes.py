from dataclasses import dataclass, field

from allocation.domain.events import Event
from allocation.domain.model import Batch, TrackedLine


@dataclass(slots=True)
class Changes:
    """The changes of all products of a unit of work, in order.

    `actors` holds the name of the caller of each event, or None if it is unknown. The message bus adds them. `touched`
    holds the lines and batches that `events` changed, once per event. `repeated` holds the lines and batches that
    already were as a command asked.
    """

    events: list[Event] = field(default_factory=list)
    actors: list[str | None] = field(default_factory=list)
    touched: list[TrackedLine | Batch] = field(default_factory=list)
    repeated: list[TrackedLine | Batch] = field(default_factory=list)
