"""Subscriptions of the relay, in this process."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine, text

from allocation.adapters.postgres.parked_events import Retries
from allocation.domain.commands import Allocate, CreateBatch
from allocation.entrypoints.relay.handled_events import HandledEvents
from allocation.entrypoints.relay.subscription import Subscription
from allocation.local.ports import free_port
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import LoggedEvent
from allocation.shutdown import Shutdown
from readmodel.store.client import redis_client

NAME = "out_of_stock"
AT_ONCE = Retries(attempts=3, pause=0.0)
Handle = Callable[[Sequence[LoggedEvent]], None]


class Impatient(Shutdown):
    """Records each requested pause and returns without waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return self.requested


def without_redis() -> HandledEvents:
    """Return a record that a subscription can do without."""
    return HandledEvents(redis_client(f"redis://127.0.0.1:{free_port()}/0"), "handled", required=False)


@contextmanager
def subscription(
    engine: Engine,
    handle: Handle,
    shutdown: Shutdown | None = None,
    handled: HandledEvents | None = None,
    retries: Retries = AT_ONCE,
) -> Iterator[Subscription]:
    shutdown, handled = shutdown or Impatient(), handled or without_redis()
    thread = Subscription(NAME, ["OutOfStock"], engine, handle, handled, shutdown, retries=retries)
    thread.start()
    try:
        yield thread
    finally:
        shutdown.request()
        thread.join()


def stored_cursor(engine: Engine) -> int:
    with engine.connect() as connection:
        query = text("SELECT cursor FROM subscriptions WHERE name = :name")
        return int(connection.execute(query, {"name": NAME}).scalar_one())


def run_out_of_stock(bus: MessageBus, *skus: str) -> None:
    for sku in skus:
        bus.handle(CreateBatch(f"b-{sku}", sku, 1))
        bus.handle(Allocate("o1", sku, 2))
