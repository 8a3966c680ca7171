"""The results of handlers and the outcomes of commands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from allocation.domain.model import OrderLine

REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class LineResult:
    """The status, batch and ETA of a line after the command. If `status` is REFUSED, `reason` is the error message."""

    order_line: OrderLine
    status: str
    batchref: str | None = None
    eta: date | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OrderResult:
    """The result of each line of an order, in the order of the command."""

    orderid: str
    lines: Sequence[LineResult]


@dataclass(frozen=True, slots=True)
class Done:
    """The command was executed. `result` is the handler's return value, which is None for most commands."""

    result: OrderResult | None = None


Outcome = Done | Exception
"""Done if the command was executed, or the error that prevented it."""
