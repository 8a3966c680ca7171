from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from allocation.domain.events import Allocated, Displaced, OutOfStock
from allocation.domain.ledger import Ledger
from allocation.domain.model import Batch, Status, TrackedLine
from allocation.domain.stock import Stock


class LineLookup(Protocol):
    """Finds lines that no command named. Each call sees what the product has done so far."""

    def require_line(self, orderid: str, sku: str) -> None:
        """Raise a programming error if the line was not read, though it may exist."""

    def oldest_waiting(self, sku: str, after: int, largest: int, units: int) -> Sequence[TrackedLine]:
        """Return some of the lines that wait behind place `after`, oldest first. Return none if there are no more.

        It leaves out lines above `largest` units. For each quantity, it returns no more lines than `units` has room
        for: the product could not allocate the others in this pass.
        """

    def latest_on(self, batch: Batch, before: int, most: int) -> Sequence[TrackedLine]:
        """Return at most `most` lines that got this batch before version `before`, the latest first.

        It leaves out shipped lines. It returns none if there are no more.
        """


class WaitingList:
    """The first-come queue of a product's lines without a batch."""

    def __init__(self, ledger: Ledger, stock: Stock, lookup: LineLookup) -> None:
        self._ledger = ledger
        self._stock = stock
        self._lookup = lookup

    def allocate_fitting(self) -> None:
        """Allocate each waiting line that fits, oldest first. Call this whenever stock was added or freed."""
        ledger, after = self._ledger, 0
        while ledger.totals.waiting_lines and (largest := self._stock.largest_room()):
            lines = self._lookup.oldest_waiting(ledger.sku, after, largest, ledger.totals.available)
            if not lines:
                return
            for line in lines:
                self._allocate(line)
            after = lines[-1].arrived

    def displace(self, batch: Batch, qty: int) -> Iterator[TrackedLine]:
        """Return lines from the batch to their old places until `qty` units are left, the latest allocated first."""
        before = self._ledger.version + 1
        while batch.allocated > qty and (lines := self._lookup.latest_on(batch, before, most=batch.allocated - qty)):
            for line in lines:
                if batch.allocated <= qty:
                    return
                before, totals = line.placed, line.totals
                batch.release(line)
                line.status = Status.WAITING
                self._ledger.record(Displaced, line=line, batch=batch, change=line.totals - totals)
                yield line

    def record_out_of_stock(self, lines: Iterable[TrackedLine]) -> None:
        """Record OutOfStock for each of these lines that still waits."""
        for line in lines:
            if line.status is Status.WAITING:
                self._ledger.record(OutOfStock, line=line, why=self._stock.passed_over(None))

    def _allocate(self, line: TrackedLine) -> None:
        totals = line.totals
        batch = self._stock.allocate(line)
        if batch is not None:
            why = self._stock.passed_over(batch)
            change = line.totals - totals
            line.placed = self._ledger.record(Allocated, line=line, batch=batch, why=why, change=change)
