from dataclasses import dataclass, field

from allocation.domain.events import Event
from allocation.domain.model import Batch, Line


@dataclass(slots=True)
class Changes:
    """What has been done to the products of a unit of work, in order.

    `touched` are the lines and batches that the events changed, `repeated` those that were as asked for already.
    """

    events: list[Event] = field(default_factory=list)
    touched: list[Line | Batch] = field(default_factory=list)
    repeated: list[Line | Batch] = field(default_factory=list)
