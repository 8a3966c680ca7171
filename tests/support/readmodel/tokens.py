"""Consistency tokens of commands, and readings that get them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Command
from allocation.entrypoints.http.consistency import create_token
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from readmodel.store.reads.consistency import ConsistencyToken
from readmodel.store.reads.reading import Reading, complete
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.store import Store
from readmodel.views import batches, order_history, orders, products, promises

Fetch = Callable[[Snapshot], Reading[Any]]
ORDER: Fetch = lambda snapshot: orders.order(snapshot, "o1")  # noqa: E731
ALLOCATIONS: Fetch = lambda snapshot: orders.allocations(snapshot, "o1")  # noqa: E731
BATCH: Fetch = lambda snapshot: batches.batch(snapshot, "b1")  # noqa: E731
PRODUCT: Fetch = lambda snapshot: products.product(snapshot, "S")  # noqa: E731
PROMISE: Fetch = lambda snapshot: promises.promise(snapshot, "S", 1)  # noqa: E731
OTHER: Fetch = lambda snapshot: orders.order(snapshot, "o-other")  # noqa: E731
VIEWS = {"order": ORDER, "allocations": ALLOCATIONS, "batch": BATCH, "product": PRODUCT, "promise": PROMISE}
LISTS: dict[str, Fetch] = {
    "products": products.products,
    "short products": lambda snapshot: products.products(snapshot, short=True),
    "waiting list": lambda snapshot: orders.waiting_list(snapshot, "S"),
    "history": lambda snapshot: order_history.order_history(snapshot, "o1"),
}
"""These queries wait for the relay, because a token does not name entries of lists."""


def token_after(bus: MessageBus, command: Command) -> ConsistencyToken:
    [outcome] = bus.handle_all([command])
    return token_of(outcome)


def token_of(outcome: object) -> ConsistencyToken:
    assert isinstance(outcome, Done)
    assert outcome.written is not None
    return ConsistencyToken.parse(create_token(PROJECTION, outcome.written))


def impatient(model: Store) -> Store:
    return Store(model.redis, patience=0)


def read(store: Store, token: ConsistencyToken, fetch: Fetch) -> Any:
    return complete(store.reader.read_at_least(token, fetch), store.exchange).value


def apply_all(model: Store, log: EventLog, token: ConsistencyToken) -> None:
    """Apply the new events as a fast path does."""
    page, position = log.read(position_of(model, log))
    assert position == token.position
    model.apply(partial(PROJECTION.fold, page), log.identity())


def position_of(model: Store, log: EventLog) -> int:
    return model.cursor(model.generations().live or "", log.identity()) or 0
