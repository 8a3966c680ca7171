"""Notifies the stock team of lines that wait: one notice per SKU and window."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from allocation.service_layer.unit_of_work import LoggedEvent

MOST_LISTED = 50


@dataclass(frozen=True)
class Notice:
    """`key` is the same whenever the same notice is sent again."""

    key: str
    subject: str
    text: str


class NotSent(Exception):
    """The notice could not be sent. The caller must try again."""


class NotAccepted(NotSent):
    """The server did not accept this notice for now. It may accept another one."""


class Notifications(Protocol):
    def send(self, notice: Notice) -> None:
        """Send the notice within a bounded time. Raises NotSent, or NotAccepted if only this notice is affected."""


class NoticeHistory(Protocol):
    """Remembers the last notice of each SKU."""

    def last_versions(self, skus: Collection[str]) -> Mapping[str, int | None]:
        """Map each SKU to the version of its last notice, or to None while its window lasts.

        Omit SKUs without a notice.
        """

    def record(self, sku: str, version: int) -> None:
        """Record that a notice about events up to this version was sent now."""


def notify_stock_team(events: Sequence[LoggedEvent], notifications: Notifications, history: NoticeHistory) -> None:
    """Send a notice for each SKU. If the process dies right after it has sent one, the next call sends it again.

    Raises NotSent at once, but NotAccepted only after it has tried the other notices. A notice that was sent is not
    sent again for the same events.
    """
    failure: NotSent | None = None
    for sku, news in new_events_by_sku(events, history).items():
        try:
            notifications.send(notice(sku, news))
        except NotAccepted as error:
            failure = error
        else:
            history.record(sku, news[-1]["version"])
    if failure is not None:
        raise failure


def new_events_by_sku(events: Sequence[LoggedEvent], history: NoticeHistory) -> dict[str, list[LoggedEvent]]:
    """Return the events after each SKU's last notice. Leave out SKUs whose window has not ended."""
    last_versions = history.last_versions({event["sku"] for event in events})
    news = defaultdict(list)
    for event in events:
        version = last_versions.get(event["sku"], 0)
        if version is not None and event["version"] > version:
            news[event["sku"]].append(event)
    return news


def notice(sku: str, events: Sequence[LoggedEvent]) -> Notice:
    waiting = events[-1]["waiting"]
    lines = [f"- order {event['line']['orderid']!r}: {event['line']['qty']} units" for event in events[:MOST_LISTED]]
    more = [f"- and {len(events) - MOST_LISTED} more"] if len(events) > MOST_LISTED else []
    text = [
        f"No batch of {sku!r} has room for:",
        "",
        *lines,
        *more,
        "",
        f"In total, {waiting['lines']} lines with {waiting['units']} units are waiting for this SKU.",
        "They get the next stock that arrives, in the order in which they came.",
        "",
    ]
    key = f"out-of-stock.{sha256(sku.encode()).hexdigest()[:16]}.{events[0]['version']}"
    return Notice(key, f"Out of stock for {sku}", "\n".join(text))
