"""The ports over plain dictionaries. The conformance tests hold them to what the real ones do."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime

from allocation.adapters.lines_in_memory import LinesInMemory
from allocation.adapters.messages import as_message
from allocation.domain.events import Event, Totals
from allocation.domain.model import Batch, Line
from allocation.domain.product import Product
from allocation.service_layer.unit_of_work import Keys, Message

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class FakeStore:
    """What is committed. One at a time: it is for tests without threads."""

    def __init__(self) -> None:
        self.products: dict[str, tuple[int, Totals]] = {}
        self.batches: dict[str, Batch] = {}
        self.lines: dict[tuple[str, str], Line] = {}
        self.log: list[Message] = []

    @contextmanager
    def begin(self, keys: Keys) -> Iterator["FakeUnitOfWork"]:
        yield FakeUnitOfWork(self, keys)


class FakeUnitOfWork:
    def __init__(self, store: FakeStore, keys: Keys) -> None:
        self._store = store
        self.products = FakeProducts(store, keys)

    def commit(self) -> Sequence[Message]:
        repeated = [message for message in self._store.log if self.products.repeats(message)]
        messages = [as_message(event, NOW) for event in self.products.save()]
        self._store.log += messages
        return repeated + messages


class FakeProducts:
    """Knows what the keys name, and nothing else, as the real one does."""

    def __init__(self, store: FakeStore, keys: Keys) -> None:
        self._store = store
        self._known_refs = {ref: copy(store.batches[ref]) for ref in keys.refs if ref in store.batches}
        owners = {store.batches[ref].sku for ref in keys.owners_of if ref in store.batches}
        skus = (keys.skus | owners) & (store.products.keys() | keys.new_skus)
        self._products = {sku: self._product(sku, keys) for sku in sorted(skus)}

    def get(self, sku: str) -> Product | None:
        product = self._products.get(sku)
        return product if product is not None and product.version > 0 else None

    def get_or_create(self, sku: str) -> Product:
        return self._products[sku]

    def get_by_batchref(self, ref: str) -> Product | None:
        return self._products[self._store.batches[ref].sku] if ref in self._store.batches else None

    def batch(self, ref: str) -> Batch | None:
        return self._known_refs.get(ref)

    def oldest_waiting(self, product: Product, after: int, largest: int, units: int) -> Sequence[Line]:
        """Looks at every line; the real one must place the same ones without."""
        self._read_all_lines(product)
        return LinesInMemory().oldest_waiting(product, after, largest, units)

    def latest_on(self, product: Product, batch: Batch, before: int, most: int) -> Sequence[Line]:
        self._read_all_lines(product)
        return LinesInMemory().latest_on(product, batch, before, most)

    def _read_all_lines(self, product: Product) -> None:
        for stored in self._store.lines.values():
            if stored.sku == product.sku:
                product.lines.setdefault(stored.orderid, copy(stored))

    def repeats(self, message: Message) -> bool:
        product = self._products.get(message["sku"])
        return product is not None and message["version"] in product.repeated

    def save(self) -> list[Event]:
        for product in self._products.values():
            if product.version:
                self._store.products[product.sku] = (product.version, product.totals)
            self._store.batches.update((batch.ref, batch) for batch in product.batches)
            self._store.lines.update(((line.orderid, line.sku), line) for line in product.lines.values())
        return [event for product in self._products.values() for event in product.events]

    def _product(self, sku: str, keys: Keys) -> Product:
        version, totals = self._store.products.get(sku, (0, Totals()))
        lines = [copy(line) for key, line in self._store.lines.items() if key in keys.lines and line.sku == sku]
        refs = keys.refs | keys.owners_of | {line.batchref for line in lines}
        batches = [
            copy(batch)
            for batch in self._store.batches.values()
            if batch.sku == sku and (batch.available or batch.ref in refs)
        ]
        return Product(sku, self, version=version, totals=totals, batches=batches, lines=lines)
