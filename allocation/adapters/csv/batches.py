"""Reads and writes batches.csv: the SKU, the quantity and the ETA of each batch."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from allocation.adapters.csv.rows import Row
from allocation.adapters.csv.table import Table, read_table
from allocation.adapters.schemas.commands import AddBatch, parse_row
from allocation.adapters.schemas.errors import InvalidInput
from allocation.adapters.schemas.fields import BatchQuantity
from allocation.domain.errors import BatchConflict
from allocation.domain.model import Batch


class BatchRow(AddBatch):
    qty: BatchQuantity


def read_batches(path: Path) -> "BatchesCsv":
    """Read the file. Raise BadFile if it is missing or unreadable, or lacks a required column."""
    return BatchesCsv(read_table(path, BatchRow))


class BatchesCsv:
    """`batches` maps each reference to its batch, in the order of the rows. `problems` describes each unusable row.

    A row is unusable if a member is missing or wrong. A row is also unusable if an earlier row has the same reference
    with other data.
    """

    def __init__(self, table: Table) -> None:
        self.batches: dict[str, Batch] = {}
        self.problems: list[str] = []
        self._table = table
        self._refs = [self._add(row) for row in table.rows]

    def write(self, touched: Iterable[Batch]) -> None:
        """Write each changed batch to its row, and each new batch to the end of the file.

        Raise BadFile as `Table.text_of` and `Table.write` do.
        """
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
        """Add the batch of the row, and return its reference. If the row is unusable, add a problem and return None."""
        try:
            batch = as_batch(row)
            known = self.batches.setdefault(batch.ref, batch)
            if not known.was_created_as(batch.sku, batch.purchased, batch.eta):
                raise BatchConflict(batch.ref)
        except (InvalidInput, BatchConflict) as error:
            self.problems.append(f"{self._table.path}, line {row.number}: {error}")
            return None
        return batch.ref

    def _text(self, batch: Batch, old_members: Mapping[str, str] | None = None) -> str:
        """Return the text of the batch's row. The columns that the service does not know keep their old members."""
        ours = {"ref": batch.ref, "sku": batch.sku, "qty": batch.purchased, "eta": batch.eta}
        return self._table.text_of({**(old_members or {}), **ours})


def as_batch(row: Row) -> Batch:
    stored = parse_row(BatchRow, row.members())
    return Batch.create(stored.ref, stored.sku, stored.qty, stored.eta)
