"""The results of handlers and the outcomes of commands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

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


class Written(NamedTuple):
    """The content of a command's consistency token.

    `events` are those that the command has caused, or None if they are many. It is also None if the command repeats
    another one: the log does not say which events the first command has caused. All of them are at or below
    `position`, in the history with this identity and epoch.
    """

    events: Sequence[Mapping[str, Any]] | None
    identity: str
    epoch: int
    position: int


@dataclass(frozen=True, slots=True)
class Done:
    """The command was executed. `result` is the handler's return value, which is None for most commands.

    The message bus adds `written` after the commit.
    """

    result: OrderResult | None = None
    written: Written | None = field(default=None, compare=False, repr=False)


Outcome = Done | Exception
"""Done if the command was executed, or the error that prevented it."""
