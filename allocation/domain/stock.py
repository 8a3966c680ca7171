"""The batches of a product, and the choice of a batch for a line."""

from bisect import insort
from collections.abc import Iterable, Sequence
from itertools import islice

from allocation.domain.events import PassedOver
from allocation.domain.model import Batch, TrackedLine, preference

MOST_PASSED_OVER = 5


class NoSuchBatch(LookupError):
    """The stock does not hold the requested batch. This is a programming error, and not a Refusal."""


class Stock:
    """The batches of a product, in order of preference."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.batches = sorted(batches, key=preference)

    def add(self, batch: Batch) -> None:
        insort(self.batches, batch, key=preference)

    def sort(self) -> None:
        """Restore the order of preference. Call this method after an ETA has changed."""
        self.batches.sort(key=preference)

    def batch(self, ref: str) -> Batch:
        """Return the batch with this reference. Raise NoSuchBatch if the stock does not hold it."""
        for batch in self.batches:
            if batch.ref == ref:
                return batch
        raise NoSuchBatch(f"The stock of this product does not hold batch {ref}")

    def batch_of(self, line: TrackedLine) -> Batch:
        """Return the batch of the line. Raise NoSuchBatch if the line has no batch."""
        if line.batchref is None:
            raise NoSuchBatch(f"Order {line.orderid}'s line of {line.sku} has no batch")
        return self.batch(line.batchref)

    def choose_batch(self, qty: int) -> Batch | None:
        """Return the batch that a line of this quantity gets, or None if no batch has room."""
        return next((batch for batch in self.batches if batch.can_allocate(qty)), None)

    def allocate(self, line: TrackedLine) -> Batch | None:
        """Allocate the line to its preferred batch and return that batch. Return None if no batch has room."""
        batch = self.choose_batch(line.qty)
        if batch is not None:
            batch.allocate(line)
        return batch

    def release(self, line: TrackedLine) -> Batch | None:
        """Remove the line from its batch and return that batch. Return None if the line has no batch."""
        if line.batchref is None:
            return None
        batch = self.batch_of(line)
        batch.release(line)
        return batch

    def largest_room(self) -> int:
        """Return the most units that are available on one batch, or 0 if there is no batch."""
        return max((batch.available for batch in self.batches), default=0)

    def passed_over(self, chosen: Batch | None) -> Sequence[PassedOver] | None:
        """Return up to MOST_PASSED_OVER batches with stock that come before the chosen batch, in order of preference.

        Return None if there is no such batch. If `chosen` is None, the line waits. Then search all batches, and return
        an empty sequence if no batch has stock.
        """
        if chosen is not None and chosen is self.batches[0]:
            return None
        before = islice(self._with_stock_before(chosen), MOST_PASSED_OVER)
        candidates = tuple(PassedOver(batch.ref, batch.eta, batch.available) for batch in before)
        return candidates if candidates or chosen is None else None

    def _with_stock_before(self, chosen: Batch | None) -> Iterable[Batch]:
        for batch in self.batches:
            if batch is chosen:
                return
            if batch.available:
                yield batch
