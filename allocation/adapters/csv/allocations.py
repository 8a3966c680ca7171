"""Reads and writes allocations.csv: the batch of each order line, in the order of the allocations.

The service keeps an unusable row in the file, but reserves no stock for it. The order line that the row names is in
doubt until a person corrects or removes the row.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from allocation.adapters.csv.rows import Row
from allocation.adapters.csv.table import Table, read_table
from allocation.adapters.schemas.commands import Schema, parse_row
from allocation.adapters.schemas.errors import InvalidInput
from allocation.adapters.schemas.fields import Identifier, Quantity
from allocation.domain.errors import UnknownBatch
from allocation.domain.model import Batch, OrderLine, TrackedLine

OrderAndSku = tuple[str, ...]
"""The order id and the SKU of a line. They identify the line."""


class AllocationRow(Schema):
    orderid: Identifier
    sku: Identifier
    qty: Quantity
    batchref: Identifier


class Unusable(Exception):
    """The row has valid members, but it contradicts batches.csv or an earlier row."""


def read_allocations(path: Path, batches: Mapping[str, Batch]) -> "AllocationsCsv":
    """Read the file, and allocate its lines to these batches. A missing file counts as empty.

    Raise BadFile if the columns differ from the fields of AllocationRow, a quote is misplaced, or the file is
    unreadable.
    """
    return AllocationsCsv(read_table(path, AllocationRow, ours=True), batches)


class AllocationsCsv:
    """The lines of the file. The constructor allocates them to `batches`.

    `lines` holds the lines of the usable rows, in the order of the rows. `problems` describes each unusable row.
    `in_doubt` maps the line that an unusable row names to the place of the row. A row is unusable in these cases:

    - A member is missing or wrong.
    - The batch does not exist, or has another SKU.
    - An earlier row has the same line.
    - The batch has too little stock left. Then the constructor uses up the batch, so that it accepts no new lines.
    """

    def __init__(self, table: Table, batches: Mapping[str, Batch]) -> None:
        self.lines: dict[OrderAndSku, TrackedLine] = {}
        self.problems: list[str] = []
        self.in_doubt: dict[OrderAndSku, str] = {}
        self._batches = batches
        self._overdrawn: list[Batch] = []
        self._table = table
        self._ids_of_rows = [self._add(row) for row in table.rows]
        for batch in self._overdrawn:
            batch.allocated = batch.purchased

    def write(self, touched: Iterable[TrackedLine]) -> None:
        """Remove the rows of these lines. Append a row for each of these lines that has a batch.

        The other rows keep their places. Raise BadFile as `Table.write` does.
        """
        changed = {id_: line for line in touched if (id_ := id_of(line)) in self.lines or line.batchref is not None}
        if not changed:
            return
        rows = zip(self._ids_of_rows, self._table.rows, strict=True)
        kept = [row.text for id_, row in rows if id_ not in changed]
        self._table.write(kept, [self._text(line) for line in changed.values() if line.batchref is not None])

    def _add(self, row: Row) -> OrderAndSku | None:
        """Add the line of the row, and return its id. If the row is unusable, add a problem and return None."""
        try:
            line = self._line(row)
        except (InvalidInput, UnknownBatch, Unusable) as error:
            place = f"{self._table.path}, line {row.number}"
            self.problems.append(f"{place}: {error}; the file keeps this row unchanged")
            self.in_doubt[tuple((row.fields or [])[:2])] = place
            return None
        self.lines[id_of(line)] = line
        return id_of(line)

    def _line(self, row: Row) -> TrackedLine:
        stored = parse_row(AllocationRow, row.members())
        batch = self._batches.get(stored.batchref)
        if batch is None:
            raise UnknownBatch(stored.batchref)
        if batch.sku != stored.sku:
            raise Unusable(f"Batch {batch.ref} has the sku {batch.sku}, not {stored.sku}")
        if (stored.orderid, stored.sku) in self.lines:
            raise Unusable(f"An earlier row already has order {stored.orderid}'s line of {stored.sku}")
        if not batch.can_allocate(stored.qty):
            self._overdrawn.append(batch)
            raise Unusable(f"Batch {batch.ref} has {batch.available} of {batch.purchased} units left, not {stored.qty}")
        line = TrackedLine(OrderLine(stored.orderid, stored.sku, stored.qty), arrived=0)
        batch.allocate(line)
        return line

    def _text(self, line: TrackedLine) -> str:
        return self._table.text_of({name: getattr(line, name) for name in AllocationRow.model_fields})


def id_of(line: TrackedLine) -> OrderAndSku:
    return (line.orderid, line.sku)
