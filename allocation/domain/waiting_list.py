from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from allocation.domain.events import Displaced, OutOfStock
from allocation.domain.ledger import Ledger
from allocation.domain.model import Batch, Line, Status


class Lines(Protocol):
    """Where a product finds lines that no command has named. Each call sees what the product has done so far."""

    def oldest_waiting(self, sku: str, after: int, largest: int, units: int) -> Sequence[Line]:
        """The next of the product's waiting lines behind place `after`, in the order of their arrival.

        No line above `largest` units, and of each quantity no more lines than `units` has room for: the others
        could not be placed in this pass. Empty when there are no more; a part of them otherwise.
        """

    def latest_on(self, batch: Batch, before: int, most: int) -> Sequence[Line]:
        """At most so many of the lines on the batch, of those placed before that version the latest first.

        None that has been shipped. Empty when there are no more; a part of them otherwise.
        """


class Queue:
    """The lines of a product that wait, each in the place of its arrival, and how lines come in and out of it."""

    def __init__(self, ledger: Ledger, lines: Lines) -> None:
        self._ledger = ledger
        self._lines = lines

    def place(self) -> None:
        """Whenever stock came or was freed: the oldest first, each that fits."""
        ledger, after = self._ledger, 0
        while ledger.totals.waiting_lines and (largest := ledger.stock.largest_room()):
            lines = self._lines.oldest_waiting(ledger.sku, after, largest, ledger.totals.available)
            if not lines:
                return
            for line in lines:
                batch = ledger.stock.preferred(line.qty)
                if batch is not None:
                    ledger.release(line)
                    ledger.put(line, batch)
            after = lines[-1].arrived

    def displace(self, batch: Batch, qty: int) -> Iterator[Line]:
        """Send the lines that keep the batch above `qty` back to their places, the latest placed first."""
        before = self._ledger.version + 1
        while batch.allocated > qty and (lines := self._lines.latest_on(batch, before, most=batch.allocated - qty)):
            for line in lines:
                if batch.allocated <= qty:
                    return
                before = line.placed
                self._ledger.release(line)
                self._ledger.enqueue(line)
                self._ledger.record(Displaced, line=line, batch=batch)
                yield line

    def tell(self, lines: Iterable[Line]) -> None:
        """Which of these lines wait, and why."""
        for line in lines:
            if line.status is Status.WAITING:
                self._ledger.record(OutOfStock, line=line, why=self._ledger.stock.passed_over(None))
