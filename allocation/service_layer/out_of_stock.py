"""Tells the stock team what lines have to wait: one notice per SKU and window."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
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


class NotTakenNow(NotSent):
    """This notice was not taken now; another one may be."""


class Notifications(Protocol):
    def send(self, notice: Notice) -> None:
        """Send it, within a bounded time. Raises NotSent; NotTakenNow where it is the notice that was not taken."""


class Window(Protocol):
    def told(self, skus: Collection[str]) -> Mapping[str, int | None]:
        """Of these SKUs, those of which the team was ever told: up to which version; None where it was just now."""

    def tell(self, sku: str, version: int) -> None:
        """The team is told of this one now, up to this version."""


def tell_the_stock_team(events: Sequence[Message], notifications: Notifications, window: Window) -> None:
    """Send a notice for each SKU. One that was sent may be sent again where the process dies right after it.

    Raises NotSent: at once, or where notices alone were not taken, after the others. Those that were sent are not sent
    again with the same events.
    """
    failure: NotSent | None = None
    for sku, news in news_by_sku(events, window).items():
        try:
            notifications.send(notice(sku, news))
        except NotTakenNow as error:
            failure = error
        else:
            window.tell(sku, news[-1]["version"])
    if failure is not None:
        raise failure


def news_by_sku(events: Sequence[Message], window: Window) -> dict[str, list[Message]]:
    """What the team was not told of yet, for the SKUs of which it was not told just now."""
    told = window.told({event["sku"] for event in events})
    news = defaultdict(list)
    for event in events:
        version = told.get(event["sku"], 0)
        if version is not None and event["version"] > version:
            news[event["sku"]].append(event)
    return news


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
