"""Tells the stock team what lines have to wait: one notice per SKU and window."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from allocation.service_layer.unit_of_work import Message

TYPES = ("OutOfStock",)
LISTED = 50


@dataclass(frozen=True)
class Notice:
    """`key` is the same whenever the same notice is sent again."""

    key: str
    subject: str
    text: str


class NotSent(Exception):
    """It could not be sent now, and has to be tried again."""


class Notifications(Protocol):
    def send(self, notice: Notice) -> None:
        """Send it, within a bounded time. Raises NotSent."""


class Window(Protocol):
    def told(self, skus: Collection[str]) -> Collection[str]:
        """Those of the SKUs of which the team was told within the window."""

    def tell(self, sku: str) -> None:
        """The team was told of this one just now."""


def tell_the_stock_team(events: Sequence[Message], notifications: Notifications, window: Window) -> None:
    """Send a notice for each SKU. One that was sent may be sent again where the process dies right after it.

    Raises NotSent: of the SKUs so far the team was told, and is not told again with the same events.
    """
    events_of = defaultdict(list)
    for event in events:
        events_of[event["sku"]].append(event)
    told = window.told(events_of)
    for sku, its_events in events_of.items():
        if sku not in told:
            notifications.send(notice(sku, its_events))
            window.tell(sku)


def notice(sku: str, events: Sequence[Message]) -> Notice:
    waiting = events[-1]["waiting"]
    lines = [f"- order {event['line']['orderid']!r}: {event['line']['qty']} units" for event in events[:LISTED]]
    more = [f"- and {len(events) - LISTED} more"] if len(events) > LISTED else []
    text = [
        f"No batch of {sku!r} has room for:",
        "",
        *lines,
        *more,
        "",
        f"In all, {waiting['lines']} lines of {waiting['units']} units wait for it, and get the next stock that comes,",
        "in the order in which they came.",
        "",
    ]
    key = f"out-of-stock.{sha256(sku.encode()).hexdigest()[:16]}.{events[0]['version']}"
    return Notice(key, f"Out of stock for {sku}", "\n".join(text))
