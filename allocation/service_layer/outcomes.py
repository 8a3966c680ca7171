"""What handlers return, and what becomes of a command."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from allocation.domain.model import OrderLine

REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class LineOutcome:
    """What became of a line: its `status`, batch and ETA. If the status is REFUSED, `reason` says why."""

    order_line: OrderLine
    status: str
    batchref: str | None = None
    eta: date | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What became of each line of an order, in the order of the command."""

    orderid: str
    lines: Sequence[LineOutcome]


@dataclass(frozen=True, slots=True)
class Done:
    """The command was executed. `result` is what its handler returned: None for most commands."""

    result: OrderOutcome | None = None


Outcome = Done | Exception
"""What became of a command: it was executed, or the reason why not."""
