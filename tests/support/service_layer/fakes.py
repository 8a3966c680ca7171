"""A store of plain dictionaries behind the ports of the write side. Tests run it beside the real stores."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import NamedTuple

from allocation.adapters.in_memory import LinesInMemory
from allocation.adapters.schemas.events import event_as_json
from allocation.domain.changes import Changes
from allocation.domain.errors import Refusal
from allocation.domain.events import Totals
from allocation.domain.model import Batch, TrackedLine
from allocation.domain.product import Product
from allocation.service_layer.idempotency import EventRange, IdempotencyKey, KeyReused, repeated_ranges
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import FIRST_EPOCH, CommittedEvents, History, LockSet, LoggedEvent

NOW = "2026-11-21T12:00:00.000+00:00"


class StoredOutcome(NamedTuple):
    fingerprint: str
    outcome: Done | Refusal
    events: Sequence[EventRange]


class FakeStore:
    """The committed state. It has no locks: open only one unit of work at a time."""

    def __init__(self) -> None:
        self.products: dict[str, tuple[int, Totals]] = {}
        self.batches: dict[str, Batch] = {}
        self.lines: dict[tuple[str, str], TrackedLine] = {}
        self.outcomes: dict[tuple[str, str], StoredOutcome] = {}
        self.log: list[LoggedEvent] = []

    @contextmanager
    def begin(self, locks: LockSet) -> Iterator["FakeUnitOfWork"]:
        yield FakeUnitOfWork(self, locks)


class FakeUnitOfWork:
    def __init__(self, store: FakeStore, locks: LockSet) -> None:
        self._store = store
        self.changes = Changes()
        self.products = FakeProducts(store, locks, self.changes)
        self.idempotency_keys = FakeIdempotencyKeys(store)

    def commit(self) -> CommittedEvents:
        ranges = repeated_ranges(self.changes) + self.idempotency_keys.found_events
        repeated = [event for event in self._store.log if any(is_in_range(event, events) for events in ranges)]
        new = [event_as_json(event, NOW, FIRST_EPOCH) for event in self.changes.events]
        self.products.save()
        self._store.outcomes |= self.idempotency_keys.stored
        self._store.log += new
        if not repeated + new:
            return CommittedEvents([], "")
        return CommittedEvents(repeated + new, "the log", History("the log", FIRST_EPOCH), len(self._store.log))


def is_in_range(event: LoggedEvent, events: EventRange) -> bool:
    return bool(event["sku"] == events.sku and events.first <= event["version"] <= events.last)


class FakeIdempotencyKeys:
    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.found_events: list[EventRange] = []
        self.stored: dict[tuple[str, str], StoredOutcome] = {}

    def find_outcome(self, key: IdempotencyKey) -> Done | Refusal | None:
        stored = self._store.outcomes.get(key.primary_key)
        if stored is None:
            return None
        if stored.fingerprint != key.fingerprint:
            raise KeyReused(key)
        self.found_events += stored.events
        return stored.outcome

    def store_outcome(self, key: IdempotencyKey, outcome: Done | Refusal, events: Sequence[EventRange]) -> None:
        self.stored[key.primary_key] = StoredOutcome(key.fingerprint, outcome, events)


class FakeProducts:
    """Holds what the lock set names and nothing else, like the repository over PostgreSQL."""

    def __init__(self, store: FakeStore, locks: LockSet, changes: Changes) -> None:
        self._store = store
        self._changes = changes
        self._locks = locks
        self._declared_lines = locks.lines | {line for line in store.lines if line[0] in locks.orders}
        self._known_refs = {ref: copy(store.batches[ref]) for ref in locks.batches if ref in store.batches}
        owners = {store.batches[ref].sku for ref in locks.owners_of if ref in store.batches}
        owners |= {sku for orderid, sku in self._declared_lines if orderid in locks.orders}
        skus = (locks.skus | owners) & (store.products.keys() | locks.new_skus)
        self._products = {sku: self._product(sku, locks) for sku in sorted(skus)}

    def get(self, sku: str) -> Product | None:
        product = self._products.get(sku)
        if product is None:
            self._locks.require_sku(sku)
            return None
        return product if product.version > 0 else None

    def get_or_create(self, sku: str) -> Product:
        if sku not in self._products:
            self._locks.require_new_sku(sku)
        return self._products[sku]

    def get_by_batchref(self, ref: str) -> Product | None:
        self._locks.require_owner_of(ref)
        return self._products[self._store.batches[ref].sku] if ref in self._store.batches else None

    def of_order(self, orderid: str) -> Sequence[Product]:
        self._locks.require_order(orderid)
        return [product for product in self._products.values() if orderid in product.lines]

    def batch(self, ref: str) -> Batch | None:
        self._locks.require_batch(ref)
        return self._known_refs.get(ref)

    def require_line(self, orderid: str, sku: str) -> None:
        self._locks.require_line(orderid, sku)

    def oldest_waiting(self, sku: str, after: int, largest: int, units: int) -> Sequence[TrackedLine]:
        """Search every line. The repository over PostgreSQL must return lines with the same effect from an index."""
        return self._all_lines(sku).oldest_waiting(sku, after, largest, units)

    def latest_on(self, batch: Batch, before: int, most: int) -> Sequence[TrackedLine]:
        return self._all_lines(batch.sku).latest_on(batch, before, most)

    def _all_lines(self, sku: str) -> LinesInMemory:
        known = self._products[sku].lines
        for stored in self._store.lines.values():
            if stored.sku == sku:
                known.setdefault(stored.orderid, copy(stored))
        return LinesInMemory(known)

    def save(self) -> None:
        for product in self._products.values():
            if product.version:
                self._store.products[product.sku] = (product.version, product.totals)
            self._store.batches.update((batch.ref, batch) for batch in product.stock.batches)
            self._store.lines.update(((line.orderid, line.sku), line) for line in product.lines.values())

    def _product(self, sku: str, locks: LockSet) -> Product:
        version, totals = self._store.products.get(sku, (0, Totals()))
        lines = [
            copy(line) for key, line in self._store.lines.items() if key in self._declared_lines and line.sku == sku
        ]
        refs = locks.batches | locks.owners_of | {line.batchref for line in lines}
        batches = [
            copy(batch)
            for batch in self._store.batches.values()
            if batch.sku == sku and (batch.available or batch.ref in refs)
        ]
        known = {line.orderid: line for line in lines}
        return Product(sku, self, self._changes, version=version, totals=totals, batches=batches, lines=known)
