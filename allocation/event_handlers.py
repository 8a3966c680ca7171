"""Maps each event type to its handlers: views, the announcement of a line, and the mail to the stock team."""

from collections.abc import Callable
from typing import Any

from allocation.adapters.announcements import announce_lines
from allocation.adapters.schemas.events import EVENT_NAMES
from allocation.domain import events
from allocation.domain.events import Event
from allocation.service_layer.out_of_stock import notify_stock_team
from readmodel.projector.fold import Projection, View
from readmodel.views.batches import BatchView
from readmodel.views.order_history import OrderHistoryView
from readmodel.views.orders import OrderView
from readmodel.views.products import ProductView

Subscriber = Callable[..., Any]
EventHandler = type[View] | Subscriber

EVENT_HANDLERS: dict[type[Event], tuple[EventHandler, ...]] = {
    events.BatchCreated: (ProductView, BatchView),
    events.BatchQuantityChanged: (ProductView, BatchView),
    events.BatchEtaChanged: (ProductView, BatchView),
    events.Allocated: (ProductView, BatchView, OrderView, OrderHistoryView, announce_lines),
    events.OutOfStock: (ProductView, OrderView, OrderHistoryView, notify_stock_team),
    events.Deallocated: (ProductView, BatchView, OrderView, OrderHistoryView),
    events.Displaced: (ProductView, BatchView, OrderView, OrderHistoryView),
    events.LineQuantityChanged: (ProductView, BatchView, OrderView, OrderHistoryView),
    events.Shipped: (ProductView, BatchView, OrderView, OrderHistoryView),
}
"""The fast path and the relay update the views. Only the relay runs the other handlers.

The relay announces a line after the views show its event. It sends mails without this delay. A refused command
causes no event.

Add a new handler to this table. If it is not a view, also add a subscription to `relay_threads.create_threads` and a
row to the database table `subscriptions`. A view must handle each event that changes one of its rows.
"""

PROJECTION = Projection(
    {
        EVENT_NAMES[event_type]: [handler for handler in handlers if isinstance(handler, type)]
        for event_type, handlers in EVENT_HANDLERS.items()
    }
)


SUBSCRIPTIONS: dict[str, Subscriber] = {"line_allocated": announce_lines, "out_of_stock": notify_stock_team}
"""Maps the name of each subscription to its handler."""


def events_of(subscriber: Subscriber) -> list[str]:
    """Return the stored names of the event types that the subscriber handles."""
    return [EVENT_NAMES[event_type] for event_type, handlers in EVENT_HANDLERS.items() if subscriber in handlers]


def subscribed_events() -> dict[str, list[str]]:
    """Map the name of each subscription to the stored names of its event types."""
    return {name: events_of(subscriber) for name, subscriber in SUBSCRIPTIONS.items()}


def subscribers() -> set[Subscriber]:
    """Return every handler that is not a view. Each of these handlers needs a subscription of the relay."""
    handlers = {handler for handlers in EVENT_HANDLERS.values() for handler in handlers}
    return {handler for handler in handlers if not isinstance(handler, type)}
