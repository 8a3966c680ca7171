"""The ports of the write side. The message bus and the handlers use a store through these interfaces."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, NamedTuple, Protocol

from allocation.domain.changes import Changes
from allocation.domain.model import Batch
from allocation.domain.product import Product
from allocation.service_layer.idempotency import IdempotencyKey, IdempotencyKeys

LoggedEvent = dict[str, Any]
"""An event as JSON data, in the form that the log stores."""
FIRST_EPOCH = 1


class History(NamedTuple):
    """The log's present history: its random name, and its number. A log that may have lost events gets a new one."""

    identity: str
    epoch: int


class CommittedEvents(NamedTuple):
    """The events to publish: first the old events of repeated commands, then the new events.

    `identity` is that of the log after the transaction has locked its products. `history` is that after the commit.
    `position` is the highest position of the events. It is 0 if there are none, or if the store has no log.
    """

    events: Sequence[LoggedEvent]
    identity: str
    history: History = History("", FIRST_EPOCH)
    position: int = 0


class RetryableError(Exception):
    """The transaction lost a race or its connection. A new attempt may succeed. `reason` names the kind of loss."""

    reason = "other"

    store = "database"


class StoreUnavailable(Exception):
    """The store (`store` in the log) is unreachable, did not answer in time, or is not ready.

    `reason` is the part of the message that clients may see. The rest can contain addresses and names of tables.
    """

    store: str | None = "database"

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class Busy(StoreUnavailable):
    """Another transaction held a lock for longer than this transaction may wait. No command was executed."""

    store = None


class NotDeclared(Exception):
    """A handler asked for a name that its lock set does not contain. This is a programming error."""


class LockWait(Enum):
    """The longest time that a unit of work waits for the locks of other units of work."""

    FULL = "until the store's time-out"
    FIRST = "300 ms"
    PROBE = "10 ms"
    SECOND = "200 ms, and 10 ms for an idempotency key"


@dataclass(frozen=True, slots=True)
class LockSet:
    """The names of everything that a unit of work may touch. The store locks the products in sorted order.

    - `skus`: products to lock
    - `lines`: lines to read, as pairs of order id and SKU
    - `batches`: references of batches to read, under any SKU
    - `new_skus`: products to create if they do not exist
    - `owners_of`: references of batches; the store locks their products
    - `orders`: order ids; the store reads the lines of the orders and locks the products of the lines
    - `idempotency_keys`: keys to lock before anything else
    - `wait`: how long the unit of work waits for locks
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
        """Return a lock set with every name of `lock_sets`, and with this `wait`."""
        sets = list(lock_sets)
        members = [field.name for field in fields(cls) if field.name != "wait"]
        union: dict[str, Any] = {name: frozenset().union(*(getattr(locks, name) for locks in sets)) for name in members}
        return cls(wait=wait, **union)

    @property
    def exclusive(self) -> frozenset[object]:
        """The names of lines, batches and keys. Two commands with a name in common never share a transaction."""
        return self.lines | self.batches | {key.primary_key for key in self.idempotency_keys}

    @property
    def contended(self) -> frozenset[object]:
        """The names that another transaction may have locked."""
        owners = {("owner of", ref) for ref in self.owners_of}
        return self.skus | self.exclusive | owners | {("order", orderid) for orderid in self.orders}

    @property
    def needs_own_transaction(self) -> bool:
        """True if the command touches several products, or does not name them. It can't share a transaction."""
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
    """The repository of a unit of work.

    The PostgreSQL repository and the fake in the tests hold only the products of the lock set. They raise NotDeclared
    if the lock set does not contain the requested name. The CSV repository holds every product.
    """

    def get(self, sku: str) -> Product | None:
        """Return the product of a SKU in `skus`, or None if it never had a batch.

        Also return a product that the store has locked for `owners_of` or `orders`.
        """

    def get_or_create(self, sku: str) -> Product:
        """Return the product of a SKU in `new_skus`. Create it if it does not exist."""

    def get_by_batchref(self, ref: str) -> Product | None:
        """Return the product of a batch in `owners_of`, or None if the batch does not exist."""

    def of_order(self, orderid: str) -> Sequence[Product]:
        """Return the products of an order in `orders`, sorted by SKU. Return an empty sequence if it has no lines."""

    def batch(self, ref: str) -> Batch | None:
        """Return a batch in `batches`, as this unit of work has changed it, or None if it did not exist before."""


class UnitOfWork(Protocol):
    """The part of a transaction that handlers use. `changes` holds the changes of all its products so far."""

    @property
    def products(self) -> Products: ...
    @property
    def changes(self) -> Changes: ...


class Transaction(UnitOfWork, Protocol):
    """A unit of work with the members that only the message bus uses.

    It may delay the locks on its products until the first use of `products`.
    """

    @property
    def idempotency_keys(self) -> IdempotencyKeys: ...

    def commit(self) -> CommittedEvents:
        """Store the changes, the events, and the outcomes of idempotency keys. Return the events to publish."""


Begin = Callable[[LockSet], AbstractContextManager[Transaction]]
"""Opens a unit of work for the lock set. If the unit of work closes without a commit, the store rolls it back."""
