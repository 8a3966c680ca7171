"""The ports over plain dictionaries. The conformance tests hold them to what the real ones do."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime

from allocation.adapters.event_log import as_message
from allocation.domain.events import Event
from allocation.domain.model import Batch, Line, Product, Status
from allocation.service_layer.unit_of_work import Keys, Message

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class FakeStore:
    """What is committed. One at a time: it is for tests without threads."""

    def __init__(self) -> None:
        self.products: dict[str, Product] = {}
        self.log: list[Message] = []

    @contextmanager
    def begin(self, keys: Keys) -> Iterator["FakeUnitOfWork"]:
        yield FakeUnitOfWork(self, keys)


class FakeUnitOfWork:
    def __init__(self, store: FakeStore, keys: Keys) -> None:
        self._store = store
        self.products = FakeProducts(deepcopy(store.products), keys)

    def commit(self) -> Sequence[Message]:
        messages = [as_message(event, NOW) for event in self.products.take_events()]
        self._store.products = {sku: p for sku, p in self.products.by_sku.items() if p.version}
        self._store.log += messages
        return messages


class FakeProducts:
    def __init__(self, by_sku: dict[str, Product], keys: Keys) -> None:
        self.by_sku = by_sku
        self._keys = keys

    def get(self, sku: str) -> Product | None:
        return self.by_sku.get(sku) if sku in self._keys.skus else None

    def get_or_create(self, sku: str) -> Product:
        return self.by_sku.setdefault(sku, Product(sku, Queue()))

    def batch(self, ref: str) -> Batch | None:
        batches = (batch for product in self.by_sku.values() for batch in product.batches)
        return next((batch for batch in batches if batch.ref == ref), None)

    def take_events(self) -> list[Event]:
        events = [event for product in self.by_sku.values() for event in product.events]
        for product in self.by_sku.values():
            product.events.clear()
        return events


class Queue:
    """Looks at every line; the real one must give the same answers without."""

    def oldest(self, product: Product, after: int, largest: int, units: int) -> Sequence[Line]:
        waiting = [line for line in product.lines.values() if line.status is Status.WAITING]
        fitting = [line for line in waiting if line.arrived > after and line.qty <= largest]
        return sorted(fitting, key=lambda line: line.arrived)
