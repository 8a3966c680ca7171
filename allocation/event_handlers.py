"""What reacts to each event type: the views that it changes, the announcement of a line, the mail to the stock team."""

from collections.abc import Callable
from typing import Any

from allocation.adapters.schemas.events import EVENT_NAMES
from allocation.domain import events
from allocation.domain.events import Event
from allocation.entrypoints.relay.announcements import announce_lines
from allocation.service_layer.out_of_stock import notify_stock_team
from readmodel.projector.fold import Projection, View
from readmodel.views.batches import BatchView
from readmodel.views.orders import OrderView
from readmodel.views.products import ProductView

Subscriber = Callable[..., Any]
EventHandler = type[View] | Subscriber

EVENT_HANDLERS: dict[type[Event], tuple[EventHandler, ...]] = {
    events.BatchCreated: (ProductView, BatchView),
    events.BatchQuantityChanged: (ProductView, BatchView),
    events.BatchEtaChanged: (ProductView, BatchView),
    events.Allocated: (ProductView, BatchView, OrderView, announce_lines),
    events.OutOfStock: (ProductView, OrderView, notify_stock_team),
    events.Deallocated: (ProductView, BatchView, OrderView),
    events.Displaced: (ProductView, BatchView, OrderView),
    events.LineQuantityChanged: (ProductView, BatchView, OrderView),
    events.Shipped: (ProductView, BatchView, OrderView),
}
"""The fast path and the relay update the views. The relay also runs the other handlers, after the views show the event.

A command that is refused has no event. A new handler needs an entry here and, unless it is a view, a subscription in
`bootstrap.create_relay` and a row in the table `subscriptions`.
"""

VIEWS = (ProductView, BatchView, OrderView)
PROJECTION = Projection(
    {
        EVENT_NAMES[event_type]: [view for view in VIEWS if view in handlers]
        for event_type, handlers in EVENT_HANDLERS.items()
    }
)


def events_of(subscriber: Subscriber) -> list[str]:
    """Return the stored names of the events that the subscriber handles."""
    return [EVENT_NAMES[event_type] for event_type, handlers in EVENT_HANDLERS.items() if subscriber in handlers]
