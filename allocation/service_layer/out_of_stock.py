"""Notifies the stock team about waiting lines. It sends at most one notice per SKU and window."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from allocation.service_layer.unit_of_work import LoggedEvent

MOST_LISTED = 50
MOST_IDS = 20


@dataclass(frozen=True)
class Notice:
    """A message to the stock team. If the same notice is sent again, it has the same `key`.

    `correlation_ids` are those of the requests that caused it, at most MOST_IDS.
    """

    key: str
    subject: str
    text: str
    correlation_ids: Sequence[str] = ()


class NotSent(Exception):
    """The notice was not sent. The caller must retry."""


class NotAccepted(NotSent):
    """The server did not accept this notice for now. It may accept other notices."""


class Rejected(Exception):
    """The server permanently rejected this notice. A retry rarely helps, so an operator must decide."""


class Notifications(Protocol):
    """Sends notices to the stock team."""

    def send(self, notice: Notice) -> None:
        """Send the notice within a bounded time.

        Raise NotAccepted or Rejected if other notices may succeed, and NotSent otherwise.
        """


class NoticeHistory(Protocol):
    """Stores the version and the time of each SKU's last notice."""

    def last_versions(self, skus: Collection[str]) -> Mapping[str, int | None]:
        """Map each SKU to the version of its last notice. Omit SKUs without a notice.

        If the window of the last notice has not ended, map the SKU to None.
        """

    def record(self, event: LoggedEvent) -> None:
        """Record that a notice about this event and the earlier ones was sent now. Ignore an event that was lost."""


def notify_stock_team(events: Sequence[LoggedEvent], notifications: Notifications, history: NoticeHistory) -> None:
    """Send a notice for each SKU with new events. Skip SKUs whose window has not ended.

    Raise NotSent immediately. Raise NotAccepted or Rejected after it has tried the other notices. No notice is sent
    twice for the same events, unless the process fails before it records the notice.
    """
    failure: Exception | None = None
    for sku, new_events in new_events_by_sku(events, history).items():
        try:
            notifications.send(notice(sku, new_events))
        except NotAccepted as error:
            failure = error
        except Rejected as error:
            failure = failure or error
        else:
            history.record(new_events[-1])
    if failure is not None:
        raise failure


def new_events_by_sku(events: Sequence[LoggedEvent], history: NoticeHistory) -> dict[str, list[LoggedEvent]]:
    """Map each SKU to its events after its last notice. Omit SKUs whose window has not ended."""
    last_versions = history.last_versions({event["sku"] for event in events})
    new_events = defaultdict(list)
    for event in events:
        version = last_versions.get(event["sku"], 0)
        if version is not None and event["version"] > version:
            new_events[event["sku"]].append(event)
    return new_events


def list_item(line: Mapping[str, Any]) -> str:
    return f"- order {line['orderid']!r}: {counted(line['qty'], 'unit')}"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def notice(sku: str, events: Sequence[LoggedEvent]) -> Notice:
    waiting = events[-1]["waiting"]
    lines = [list_item(event["line"]) for event in events[:MOST_LISTED]]
    more = [f"- and {len(events) - MOST_LISTED} more"] if len(events) > MOST_LISTED else []
    text = [
        f"No batch of {sku!r} has room for:",
        "",
        *lines,
        *more,
        "",
        f"Waiting for this SKU in total: {counted(waiting['lines'], 'line')}, {counted(waiting['units'], 'unit')}.",
        "These lines get new stock in the order in which they arrived.",
        "",
    ]
    key = f"out-of-stock.{sha256(sku.encode()).hexdigest()[:16]}.{events[0]['version']}"
    known = dict.fromkeys(event["correlation_id"] for event in events if "correlation_id" in event)
    return Notice(key, f"Out of stock for {sku}", "\n".join(text), tuple(known)[:MOST_IDS])
