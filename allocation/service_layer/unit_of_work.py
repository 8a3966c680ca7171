"""The ports of the write side: what a handler sees of the store."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, Protocol

from allocation.domain.changes import Changes
from allocation.domain.model import Batch
from allocation.domain.product import Product
from allocation.service_layer.idempotency import IdempotencyKey, Outcomes

Message = dict[str, Any]
"""An event as plain JSON data: the form in which it is logged and handed on."""


class RetryableError(Exception):
    """The transaction lost a race and was rolled back; the same unit of work may succeed next time."""


class StoreUnavailable(Exception):
    """The store can't be reached, or did not answer in time, or is not ready to be used."""


class Busy(StoreUnavailable):
    """Another transaction holds what this one needs, for longer than it may wait. Nothing was done."""


class Patience(Enum):
    """How long a unit of work waits for what another one holds."""

    FULL = "as long as the store has anyone wait"
    SHORT = "for half a second"
    NOT_FOR_KEYS = "not at all for an idempotency key, else in full"


@dataclass(frozen=True, slots=True)
class Keys:
    """All that a unit of work may touch. It is locked and read in one order: idempotency keys, then the rest at once.

    `refs` are batches to look at, whatever their SKU; `owners_of` are batches whose products are to be changed,
    `orders` those whose lines are, whatever their SKUs.
    """

    skus: frozenset[str] = frozenset()
    lines: frozenset[tuple[str, str]] = frozenset()
    refs: frozenset[str] = frozenset()
    new_skus: frozenset[str] = frozenset()
    owners_of: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    idempotency: frozenset[IdempotencyKey] = frozenset()
    patience: Patience = Patience.FULL

    @classmethod
    def union(cls, several: Iterable["Keys"]) -> "Keys":
        several = list(several)
        named = [field.name for field in fields(cls) if field.name != "patience"]
        union: dict[str, Any] = {name: frozenset().union(*(getattr(keys, name) for keys in several)) for name in named}
        return cls(**union)

    @property
    def identities(self) -> frozenset[object]:
        """What is named. Commands that share one of these don't share a transaction."""
        return self.lines | self.refs | {key.identity for key in self.idempotency}

    @property
    def alone(self) -> bool:
        """Whether the command has a transaction of its own: its body does not tell its products, or tells several."""
        return bool(self.owners_of or self.orders) or len(self.skus) > 1


class Products(Protocol):
    """The repository: what the unit of work's keys name, and nothing else."""

    def get(self, sku: str) -> Product | None:
        """The product, or None where no batch of it ever was."""

    def get_or_create(self, sku: str) -> Product:
        """The product; a new one where none is (only of the keys' `new_skus`)."""

    def get_by_batchref(self, ref: str) -> Product | None:
        """The product that owns the batch (only of the keys' `owners_of`), or None where no such batch ever was."""

    def of_order(self, orderid: str) -> Sequence[Product]:
        """The products of the order's lines (only of the keys' `orders`), by SKU. Empty where it never had one."""

    def batch(self, ref: str) -> Batch | None:
        """The batch of that reference as it was before this unit of work, whatever its SKU."""


class UnitOfWork(Protocol):
    """What a handler is given. `changes` is what all of the products have done so far."""

    @property
    def products(self) -> Products: ...

    @property
    def changes(self) -> Changes: ...


class Transaction(UnitOfWork, Protocol):
    """What the message bus is given. Nothing is locked for products until `products` is asked for."""

    @property
    def outcomes(self) -> Outcomes: ...

    def commit(self) -> Sequence[Message]:
        """Make every change and its events durable at once, and the outcomes that were kept.

        Returns the events, and before them those to be handed on again: the latest ones of what commands asked for that
        was there already, and those of commands whose outcome was found.
        """


Begin = Callable[[Keys], AbstractContextManager[Transaction]]
"""Opens a unit of work over the keys. What is not committed when it closes is rolled back."""
