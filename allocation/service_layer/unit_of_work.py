"""The ports of the write side: what the message bus and the handlers see of the store."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, Protocol

from allocation.domain.changes import Changes
from allocation.domain.model import Batch
from allocation.domain.product import Product
from allocation.service_layer.idempotency import IdempotencyKey, IdempotencyKeys

LoggedEvent = dict[str, Any]
"""An event as plain JSON data, as the log stores it."""


class RetryableError(Exception):
    """The transaction lost a race and was rolled back. A new attempt may succeed."""


class StoreUnavailable(Exception):
    """The store can't be reached, did not answer in time, or is not ready."""


class Busy(StoreUnavailable):
    """Another transaction held a lock for longer than this one may wait. Nothing was done."""


class NotDeclared(Exception):
    """A handler asked for something that its lock set does not name: a programming error."""


class LockWait(Enum):
    """How long a unit of work waits for locks that another one holds."""

    FULL = "as long as the store's time-out allows"
    SHORT = "half a second"
    NOT_FOR_KEYS = "not at all for an idempotency key, otherwise FULL"


@dataclass(frozen=True, slots=True)
class LockSet:
    """Everything that a unit of work may touch. The store locks idempotency keys first, then the rest in one order.

    - `skus`: products to lock
    - `lines`: lines to read, as pairs of order id and SKU
    - `batches`: references to read, whatever their SKU
    - `new_skus`: products to create if they do not exist
    - `owners_of`: references whose products to lock
    - `orders`: order ids; their lines are read, and the products of these lines are locked
    """

    skus: frozenset[str] = frozenset()
    lines: frozenset[tuple[str, str]] = frozenset()
    batches: frozenset[str] = frozenset()
    new_skus: frozenset[str] = frozenset()
    owners_of: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    idempotency_keys: frozenset[IdempotencyKey] = frozenset()
    wait: LockWait = LockWait.FULL

    @classmethod
    def union(cls, lock_sets: Iterable["LockSet"], wait: LockWait) -> "LockSet":
        several = list(lock_sets)
        names = [field.name for field in fields(cls) if field.name != "wait"]
        union: dict[str, Any] = {name: frozenset().union(*(getattr(one, name) for one in several)) for name in names}
        return cls(wait=wait, **union)

    @property
    def exclusive(self) -> frozenset[object]:
        """The lines, batches and keys that are named. Two commands that name the same one never share a transaction."""
        return self.lines | self.batches | {key.primary_key for key in self.idempotency_keys}

    @property
    def contended(self) -> frozenset[object]:
        """What a transaction may have to wait for."""
        return self.skus | self.exclusive

    @property
    def needs_own_transaction(self) -> bool:
        """Whether the command shares no transaction: it touches several products, or products that it does not name."""
        return bool(self.owners_of or self.orders) or len(self.skus) > 1

    def require_sku(self, sku: str) -> None:
        require(sku, self.skus)

    def require_new_sku(self, sku: str) -> None:
        require(sku, self.new_skus)

    def require_line(self, orderid: str, sku: str) -> None:
        if orderid not in self.orders:
            require((orderid, sku), self.lines)

    def require_batch(self, ref: str) -> None:
        require(ref, self.batches)

    def require_owner_of(self, ref: str) -> None:
        require(ref, self.owners_of)

    def require_order(self, orderid: str) -> None:
        require(orderid, self.orders)


def require(name: object, declared: frozenset[Any]) -> None:
    if name not in declared:
        raise NotDeclared(f"{name!r} is not in the lock set of this unit of work")


class Products(Protocol):
    """The repository. Each method raises NotDeclared if the lock set does not name what the handler asks for."""

    def get(self, sku: str) -> Product | None:
        """Return the product of one of `skus`, or None if it never had a batch."""

    def get_or_create(self, sku: str) -> Product:
        """Return the product of one of `new_skus`. Create it if it does not exist."""

    def get_by_batchref(self, ref: str) -> Product | None:
        """Return the product of a batch in `owners_of`, or None if there is no such batch."""

    def of_order(self, orderid: str) -> Sequence[Product]:
        """Return the products of the lines of one of `orders`, sorted by SKU. Return none if it never had a line."""

    def batch(self, ref: str) -> Batch | None:
        """Return one of `batches` as it was before this unit of work, or None if it does not exist."""


class UnitOfWork(Protocol):
    """What a handler sees. `changes` is what all products have done so far."""

    @property
    def products(self) -> Products: ...

    @property
    def changes(self) -> Changes: ...


class Transaction(UnitOfWork, Protocol):
    """What the message bus sees. It locks no product until somebody asks for `products`."""

    @property
    def idempotency_keys(self) -> IdempotencyKeys: ...

    def commit(self) -> Sequence[LoggedEvent]:
        """Store every change, every event and every outcome of an idempotency key, all at once.

        Return the events to apply to the views: first those that a repeated command asks for again, then the new ones.
        """


Begin = Callable[[LockSet], AbstractContextManager[Transaction]]
"""Opens a unit of work over the lock set. It is rolled back when it closes without a commit."""
