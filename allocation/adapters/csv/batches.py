"""batches.csv: the quantity and the ETA of each batch."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from allocation.adapters.csv.rows import Row
from allocation.adapters.csv.table import Table, read_table
from allocation.adapters.schemas.commands import AddBatch, parse_row
from allocation.adapters.schemas.errors import InvalidCommand
from allocation.adapters.schemas.fields import BatchQuantity
from allocation.domain.errors import BatchConflict
from allocation.domain.model import Batch


class BatchRow(AddBatch):
    qty: BatchQuantity


def read_batches(path: Path) -> "BatchesCsv":
    """Raises BadFile if there is no such file, or if it can't be read to its end."""
    return BatchesCsv(read_table(path, BatchRow))


class BatchesCsv:
    """`batches` maps references to the batches of the usable rows, in their order. `problems` describes the other rows.

    If rows name one batch with different data, the first one counts.
    """

    def __init__(self, table: Table) -> None:
        self.batches: dict[str, Batch] = {}
        self.problems: list[str] = []
        self._table = table
        self._refs = [self._add(row) for row in table.rows]

    def write(self, touched: Iterable[Batch]) -> None:
        """Write changed batches in their old places and new ones at the end. Raises BadFile: nothing has changed."""
        changed = {batch.ref: batch for batch in touched if self._differs(batch)}
        if not changed:
            return
        kept = [
            row.text if ref not in changed else self._text(changed[ref], row.members())
            for ref, row in zip(self._refs, self._table.rows, strict=True)
        ]
        self._table.write(kept, [self._text(batch) for ref, batch in changed.items() if ref not in self.batches])

    def _differs(self, batch: Batch) -> bool:
        return batch.ref not in self.batches or not batch.was_created_as(batch.sku, batch.purchased, batch.eta)

    def _add(self, row: Row) -> str | None:
        """Return the reference of a usable row, or None."""
        try:
            batch = as_batch(row)
            known = self.batches.setdefault(batch.ref, batch)
            if not known.was_created_as(batch.sku, batch.purchased, batch.eta):
                raise BatchConflict(batch.ref)
        except (InvalidCommand, BatchConflict) as error:
            self.problems.append(f"{self._table.path}, line {row.line}: {error}")
            return None
        return batch.ref

    def _text(self, batch: Batch, others: Mapping[str, str] | None = None) -> str:
        """Return the batch's row. Columns that the service does not know keep their content."""
        ours = {"ref": batch.ref, "sku": batch.sku, "qty": batch.purchased, "eta": batch.eta}
        return self._table.text_of({**(others or {}), **ours})


def as_batch(row: Row) -> Batch:
    stored = parse_row(BatchRow, row.members())
    return Batch.create(stored.ref, stored.sku, stored.qty, stored.eta)
