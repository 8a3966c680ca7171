from bisect import insort
from collections.abc import Iterable, Sequence
from itertools import islice

from allocation.domain.events import Candidate
from allocation.domain.model import Batch, preference

MOST_CANDIDATES = 5


class Stock:
    """The batches of a product, the preferred first."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.batches = sorted(batches, key=preference)

    def add(self, batch: Batch) -> None:
        insort(self.batches, batch, key=preference)

    def sort(self) -> None:
        """To be called after an ETA was changed."""
        self.batches.sort(key=preference)

    def batch(self, ref: str | None) -> Batch:
        return next(batch for batch in self.batches if batch.ref == ref)

    def preferred(self, qty: int) -> Batch | None:
        """The batch that a line of that quantity gets."""
        return next((batch for batch in self.batches if batch.available >= qty), None)

    def largest_room(self) -> int:
        return max((batch.available for batch in self.batches), default=0)

    def passed_over(self, taken: Batch | None) -> Sequence[Candidate] | None:
        """The batches with too little left, the preferred first; None where the first one with any left is taken."""
        if taken is not None and taken is self.batches[0]:
            return None
        before = islice(self._with_any_left_before(taken), MOST_CANDIDATES)
        candidates = tuple(Candidate(batch.ref, batch.eta, batch.available) for batch in before)
        return candidates if candidates or taken is None else None

    def _with_any_left_before(self, taken: Batch | None) -> Iterable[Batch]:
        for batch in self.batches:
            if batch is taken:
                return
            if batch.available:
                yield batch
