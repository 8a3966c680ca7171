"""allocations.csv: the batch of each order line, in the order in which the lines were allocated.

An unusable row is a promise that nobody can read any more. It stays in the file and uses no stock. The order line that
it names is in doubt until somebody corrects or removes the row.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from allocation.adapters.csv.rows import Row
from allocation.adapters.csv.table import Table, read_table
from allocation.adapters.schemas.commands import Schema, parse_row
from allocation.adapters.schemas.errors import InvalidCommand
from allocation.adapters.schemas.fields import Identifier, Quantity
from allocation.domain.errors import UnknownBatch
from allocation.domain.model import Batch, OrderLine, TrackedLine

LineId = tuple[str, ...]
"""The order id and the SKU of a line."""


class AllocationRow(Schema):
    orderid: Identifier
    sku: Identifier
    qty: Quantity
    batchref: Identifier


class Unusable(Exception):
    """A row that is complete but contradicts batches.csv or a row above."""


def read_allocations(path: Path, batches: Mapping[str, Batch]) -> "AllocationsCsv":
    """Allocate the lines of the file to these batches.

    Raises BadFile if the columns are not those of AllocationRow, or if a quote is misplaced.
    """
    return AllocationsCsv(read_table(path, AllocationRow, ours=True), batches)


class AllocationsCsv:
    """`lines` holds the lines of the usable rows, in their order, allocated to the given batches.

    `problems` describes the other rows, and `in_doubt` maps the lines that they name to their places. A row is unusable
    if a member is missing or wrong, if its batch does not exist or has another SKU, if a row above has the same line,
    or if its batch has too little left. A batch that has promised too much gives nothing to other lines.
    """

    def __init__(self, table: Table, batches: Mapping[str, Batch]) -> None:
        self.lines: dict[LineId, TrackedLine] = {}
        self.problems: list[str] = []
        self.in_doubt: dict[LineId, str] = {}
        self._batches = batches
        self._overdrawn: list[Batch] = []
        self._table = table
        self._line_ids = [self._add(row) for row in table.rows]
        for batch in self._overdrawn:
            batch.allocated = batch.purchased

    def write(self, touched: Iterable[TrackedLine]) -> None:
        """Remove these lines from the file, and append those that have a batch now. The others keep their place.

        Raises BadFile: nothing has changed.
        """
        changed = {id_: line for line in touched if (id_ := id_of(line)) in self.lines or line.batchref is not None}
        if not changed:
            return
        rows = zip(self._line_ids, self._table.rows, strict=True)
        kept = [row.text for id_, row in rows if id_ not in changed]
        self._table.write(kept, [self._text(line) for line in changed.values() if line.batchref is not None])

    def _add(self, row: Row) -> LineId | None:
        """Return the line id of a usable row, or None."""
        try:
            line = self._line(row)
        except (InvalidCommand, UnknownBatch, Unusable) as error:
            place = f"{self._table.path}, line {row.line}"
            self.problems.append(f"{place}: {error}; the row stays as it is")
            self.in_doubt[tuple(row.fields[:2])] = place
            return None
        self.lines[id_of(line)] = line
        return id_of(line)

    def _line(self, row: Row) -> TrackedLine:
        stored = parse_row(AllocationRow, row.members())
        batch = self._batches.get(stored.batchref)
        if batch is None:
            raise UnknownBatch(stored.batchref)
        if batch.sku != stored.sku:
            raise Unusable(f"Batch {batch.ref} is of {batch.sku}, not of {stored.sku}")
        if (stored.orderid, stored.sku) in self.lines:
            raise Unusable(f"A row above already has order {stored.orderid}'s line of {stored.sku}")
        if not batch.can_allocate(stored.qty):
            self._overdrawn.append(batch)
            raise Unusable(f"Batch {batch.ref} has only {batch.available} left of {batch.purchased}, not {stored.qty}")
        line = TrackedLine(OrderLine(stored.orderid, stored.sku, stored.qty), arrived=0)
        batch.allocate(line)
        return line

    def _text(self, line: TrackedLine) -> str:
        return self._table.text_of({name: getattr(line, name) for name in AllocationRow.model_fields})


def id_of(line: TrackedLine) -> LineId:
    return (line.orderid, line.sku)
