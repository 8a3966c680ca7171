from dataclasses import dataclass, field

from allocation.domain.events import Event
from allocation.domain.model import Batch, TrackedLine


@dataclass(slots=True)
class Changes:
    """What the products of a unit of work have done, in order.

    `touched` holds the lines and batches that the events changed. `repeated` holds those that a command asked for again
    and that were as requested already.
    """

    events: list[Event] = field(default_factory=list)
    touched: list[TrackedLine | Batch] = field(default_factory=list)
    repeated: list[TrackedLine | Batch] = field(default_factory=list)
