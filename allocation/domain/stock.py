from bisect import insort
from collections.abc import Iterable, Sequence
from itertools import islice

from allocation.domain.events import Candidate
from allocation.domain.model import Batch, TrackedLine, preference

MOST_CANDIDATES = 5


class Stock:
    """The batches of a product, the preferred one first."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.batches = sorted(batches, key=preference)

    def add(self, batch: Batch) -> None:
        insort(self.batches, batch, key=preference)

    def sort(self) -> None:
        """Restore the order. Call this after an ETA has changed."""
        self.batches.sort(key=preference)

    def batch(self, ref: str | None) -> Batch:
        return next(batch for batch in self.batches if batch.ref == ref)

    def preferred(self, qty: int) -> Batch | None:
        """Return the batch that a line of this quantity gets."""
        return next((batch for batch in self.batches if batch.can_allocate(qty)), None)

    def allocate(self, line: TrackedLine) -> Batch | None:
        """Allocate the line to its preferred batch and return that batch. Return None if no batch has room."""
        batch = self.preferred(line.qty)
        if batch is not None:
            batch.allocate(line)
        return batch

    def release(self, line: TrackedLine) -> Batch | None:
        """Take the line off its batch and return that batch. Return None if it had no batch."""
        if line.batchref is None:
            return None
        batch = self.batch(line.batchref)
        batch.release(line)
        return batch

    def largest_room(self) -> int:
        return max((batch.available for batch in self.batches), default=0)

    def passed_over(self, chosen: Batch | None) -> Sequence[Candidate] | None:
        """Return the batches before the chosen one that had stock, but too little: at most five, the preferred first.

        Return None if the chosen batch was the first one with any stock.
        """
        if chosen is not None and chosen is self.batches[0]:
            return None
        before = islice(self._with_stock_before(chosen), MOST_CANDIDATES)
        candidates = tuple(Candidate(batch.ref, batch.eta, batch.available) for batch in before)
        return candidates if candidates or chosen is None else None

    def _with_stock_before(self, chosen: Batch | None) -> Iterable[Batch]:
        for batch in self.batches:
            if batch is chosen:
                return
            if batch.available:
                yield batch
