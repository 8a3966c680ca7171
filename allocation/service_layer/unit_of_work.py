"""The ports of the write side: what a handler sees of the store."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from allocation.domain.model import Batch
from allocation.domain.product import Product

Message = dict[str, Any]
"""An event as plain JSON data: the form in which it is logged and handed on."""


class RetryableError(Exception):
    """The transaction lost a race and was rolled back; the same unit of work may succeed next time."""


class StoreUnavailable(Exception):
    """The store can't be reached, or did not answer in time, or is not ready to be used."""


@dataclass(frozen=True, slots=True)
class Keys:
    """All that a unit of work may touch. It is locked and read at once, in one order, before the first handler runs.

    `refs` are batches to look at, whatever their SKU; `owners_of` are batches whose products are to be changed.
    """

    skus: frozenset[str] = frozenset()
    lines: frozenset[tuple[str, str]] = frozenset()
    refs: frozenset[str] = frozenset()
    new_skus: frozenset[str] = frozenset()
    owners_of: frozenset[str] = frozenset()

    @classmethod
    def union(cls, several: Iterable["Keys"]) -> "Keys":
        several = list(several)
        return cls(
            frozenset().union(*(keys.skus for keys in several)),
            frozenset().union(*(keys.lines for keys in several)),
            frozenset().union(*(keys.refs for keys in several)),
            frozenset().union(*(keys.new_skus for keys in several)),
            frozenset().union(*(keys.owners_of for keys in several)),
        )

    @property
    def identities(self) -> frozenset[object]:
        """The lines and batches named. Commands that share one of these don't share a transaction."""
        return self.lines | self.refs

    @property
    def alone(self) -> bool:
        """Whether the command has a transaction of its own, since its body does not tell what it touches."""
        return bool(self.owners_of)


class Products(Protocol):
    """The repository: what the unit of work's keys name, and nothing else."""

    def get(self, sku: str) -> Product | None:
        """The product, or None where no batch of it ever was."""

    def get_or_create(self, sku: str) -> Product:
        """The product; a new one where none is (only of the keys' `new_skus`)."""

    def get_by_batchref(self, ref: str) -> Product | None:
        """The product that owns the batch (only of the keys' `owners_of`), or None where no such batch ever was."""

    def batch(self, ref: str) -> Batch | None:
        """The batch of that reference as it was before this unit of work, whatever its SKU."""


class UnitOfWork(Protocol):
    @property
    def products(self) -> Products: ...

    def commit(self) -> Sequence[Message]:
        """Make every change and its events durable at once.

        Returns the events, and before them the latest ones of what commands asked for that was there already.
        """


Begin = Callable[[Keys], AbstractContextManager[UnitOfWork]]
"""Opens a unit of work over the keys. What is not committed when it closes is rolled back."""
