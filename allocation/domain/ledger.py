from collections.abc import Sequence

from allocation.domain.changes import Changes
from allocation.domain.events import Allocated, Candidate, Event, Totals
from allocation.domain.model import Batch, Line, Status
from allocation.domain.stock import Stock


class Ledger:
    """What a product keeps account of: its stock, its totals, and its version, which each event raises by one."""

    def __init__(self, sku: str, version: int, totals: Totals, stock: Stock, changes: Changes) -> None:
        self.sku = sku
        self.version = version
        self.totals = totals
        self.stock = stock
        self.changes = changes

    def count(self, *, available: int = 0, waiting_lines: int = 0, waiting_units: int = 0) -> None:
        """So many more, or fewer."""
        self.totals = self.totals.plus(available, waiting_lines, waiting_units)

    def put(self, line: Line, batch: Batch) -> None:
        why = self.stock.passed_over(batch)
        batch.allocated += line.qty
        self.count(available=-line.qty)
        line.status, line.batchref, line.placed = Status.ALLOCATED, batch.ref, self.version + 1
        self.record(Allocated, line=line, batch=batch, why=why)

    def release(self, line: Line) -> Batch | None:
        """Take the line off its batch, which is returned, or out of the queue."""
        if line.batchref is None:
            self.count(waiting_lines=-1, waiting_units=-line.qty)
            return None
        batch = self.stock.batch(line.batchref)
        batch.allocated -= line.qty
        self.count(available=+line.qty)
        line.batchref = None
        return batch

    def enqueue(self, line: Line) -> None:
        line.status = Status.WAITING
        self.count(waiting_lines=+1, waiting_units=line.qty)

    def record(
        self,
        event: type[Event],
        *,
        line: Line | None = None,
        batch: Batch | None = None,
        why: Sequence[Candidate] | None = None,
    ) -> None:
        self.version += 1
        for row in (line, batch):
            if row is not None:
                row.version = self.version
                self.changes.touched.append(row)
        self.changes.events.append(
            event(
                sku=self.sku,
                version=self.version,
                totals=self.totals,
                batches=(batch.state,) if batch is not None else (),
                line=line.state if line is not None else None,
                why=why,
            )
        )
