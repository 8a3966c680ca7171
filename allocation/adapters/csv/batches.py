"""batches.csv: how much was purchased of each batch, and when it comes."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from allocation.adapters.csv.rows import Row, members
from allocation.adapters.csv.table import Table
from allocation.adapters.schemas import commands as bodies
from allocation.adapters.schemas.errors import BadCommand
from allocation.adapters.schemas.fields import QuantityLeft
from allocation.domain.errors import BatchConflict
from allocation.domain.model import Batch


class BatchRow(bodies.CreateBatch):
    qty: QuantityLeft  # A batch that was cut to nothing is still a batch.


class BatchesCsv:
    """`batches` has those of the rows that can be used, by reference, in their order; `problems` tells of the others.

    Of rows that name one batch with different data the first counts. Raises BadFile where there is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.batches: dict[str, Batch] = {}
        self.problems: list[str] = []
        self._table = Table(path, BatchRow)
        self._refs = [self._take(row) for row in self._table.rows]

    def write(self, touched: Iterable[Batch]) -> None:
        """Put those that differ from what was read where they stood, and new ones at the end.

        Raises BadFile: nothing has changed.
        """
        changed = {batch.ref: batch for batch in touched if self._differs(batch)}
        if not changed:
            return
        kept = [
            row.text if ref not in changed else self._text(changed[ref], members(row))
            for ref, row in zip(self._refs, self._table.rows, strict=True)
        ]
        self._table.write(kept, [self._text(batch) for ref, batch in changed.items() if ref not in self.batches])

    def _differs(self, batch: Batch) -> bool:
        return batch.ref not in self.batches or not batch.was_created_as(batch.sku, batch.purchased, batch.eta)

    def _take(self, row: Row) -> str | None:
        """The reference of a row that can be used."""
        try:
            batch = as_batch(row)
            known = self.batches.setdefault(batch.ref, batch)
            if not known.was_created_as(batch.sku, batch.purchased, batch.eta):
                raise BatchConflict(batch.ref)
        except (BadCommand, BatchConflict) as error:
            self.problems.append(f"{self._table.path}, line {row.line}: {error}")
            return None
        return batch.ref

    def _text(self, batch: Batch, others: Mapping[str, str] | None = None) -> str:
        """Columns of the file that are no business of ours keep what is in them."""
        ours = {"ref": batch.ref, "sku": batch.sku, "qty": batch.purchased, "eta": batch.eta}
        return self._table.text_of({**(others or {}), **ours})


def as_batch(row: Row) -> Batch:
    stored = bodies.checked(BatchRow, members(row))
    return Batch.create(stored.ref, stored.sku, stored.qty, stored.eta)
