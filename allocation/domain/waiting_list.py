from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from allocation.domain.events import Allocated, Displaced, OutOfStock
from allocation.domain.ledger import Ledger
from allocation.domain.model import Batch, Status, TrackedLine
from allocation.domain.stock import Stock


class LineLookup(Protocol):
    """Finds lines that no command names. Each call sees the product's changes so far."""

    def require_line(self, orderid: str, sku: str) -> None:
        """Raise an error if the unit of work has not read the line.

        Without the error, the product would treat the line as missing.
        """

    def oldest_waiting(self, sku: str, after: int, largest: int, units: int) -> Sequence[TrackedLine]:
        """Return some of the waiting lines after place `after`, oldest first. Return an empty sequence at the end.

        Omit lines of more than `largest` units. For each quantity, only the oldest `units // quantity` lines can still
        fit. The lookup may omit or return the later lines.
        """

    def latest_on(self, batch: Batch, before: int, most: int) -> Sequence[TrackedLine]:
        """Return at most `most` lines that got this batch before version `before`, the latest first.

        Omit shipped lines. Return an empty sequence at the end.
        """


class WaitingList:
    """The lines of a product that wait for a batch, in order of arrival."""

    def __init__(self, ledger: Ledger, stock: Stock, lookup: LineLookup) -> None:
        self._ledger = ledger
        self._stock = stock
        self._lookup = lookup

    def allocate_fitting(self) -> None:
        """Allocate each waiting line that fits, oldest first. Call this method after stock is added or freed."""
        ledger, after = self._ledger, 0
        while ledger.totals.waiting_lines and (largest := self._stock.largest_room()):
            lines = self._lookup.oldest_waiting(ledger.sku, after, largest, ledger.totals.available)
            if not lines:
                return
            for line in lines:
                self._allocate(line)
            after = lines[-1].arrived

    def displace(self, batch: Batch, qty: int) -> Iterator[TrackedLine]:
        """Displace lines, the latest allocated first, until the batch has at most `qty` allocated units.

        Each displaced line returns to its former place on the waiting list. Yield each line after it is displaced.
        """
        before = self._ledger.version + 1
        while batch.allocated > qty and (lines := self._lookup.latest_on(batch, before, most=batch.allocated - qty)):
            for line in lines:
                if batch.allocated <= qty:
                    return
                before, totals = line.placed, line.contribution
                batch.release(line)
                line.status = Status.WAITING
                self._ledger.record(Displaced, line=line, batch=batch, change=line.contribution - totals)
                yield line

    def record_out_of_stock(self, lines: Iterable[TrackedLine]) -> None:
        """Record OutOfStock for each of the lines that still waits."""
        for line in lines:
            if line.status is Status.WAITING:
                self._ledger.record(OutOfStock, line=line, why=self._stock.passed_over(None))

    def _allocate(self, line: TrackedLine) -> None:
        totals = line.contribution
        batch = self._stock.allocate(line)
        if batch is not None:
            why = self._stock.passed_over(batch)
            change = line.contribution - totals
            line.placed = self._ledger.record(Allocated, line=line, batch=batch, why=why, change=change)
