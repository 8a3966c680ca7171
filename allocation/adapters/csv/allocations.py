"""allocations.csv: which batch each order line is on, in the order in which the lines were allocated.

A row that can't be used is a promise that somebody made and nobody can read any more: it stays in the file as it is, it
takes nothing from a batch, and the order line that it names is in doubt until someone has mended or removed the row.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from allocation.adapters.csv.rows import Row, members
from allocation.adapters.csv.table import Table
from allocation.adapters.schemas import commands as bodies
from allocation.adapters.schemas.errors import BadCommand
from allocation.adapters.schemas.fields import Identifier, Quantity
from allocation.domain.errors import UnknownBatch
from allocation.domain.model import Batch, Line, Status

Key = tuple[str, ...]
"""Order and SKU of a line."""


class AllocationRow(bodies.Body):
    orderid: Identifier
    sku: Identifier
    qty: Quantity
    batchref: Identifier


class Unusable(Exception):
    """A row that has its members, but contradicts batches.csv or a row above."""


class AllocationsCsv:
    """`lines` has those of the rows that can be used, in their order, put on the batches given; `problems` tells of the
    others, and `in_doubt` has the places of those by their lines.

    Can't be used: a row that lacks a member or has a bad one, of a batch that is not there or of another SKU, of a line
    that stands above already, or of more than its batch has left. A batch of which more was promised than there is
    gives nothing to other lines. Raises BadFile where columns are not these four, or a quote is out of place.
    """

    def __init__(self, path: Path, batches: Mapping[str, Batch]) -> None:
        self.lines: dict[Key, Line] = {}
        self.problems: list[str] = []
        self.in_doubt: dict[Key, str] = {}
        self._batches = batches
        self._overdrawn: list[Batch] = []
        self._table = Table(path, AllocationRow, ours=True)
        self._keys = [self._take(row) for row in self._table.rows]
        for batch in self._overdrawn:
            batch.allocated = batch.purchased

    def write(self, touched: Iterable[Line]) -> None:
        """Take these lines out of the file, and append those that are on a batch now. The others keep their place.

        Raises BadFile: nothing has changed.
        """
        changed = {key: line for line in touched if (key := key_of(line)) in self.lines or line.batchref is not None}
        if not changed:
            return
        rows = zip(self._keys, self._table.rows, strict=True)
        kept = [row.text for key, row in rows if key not in changed]
        self._table.write(kept, [self._text(line) for line in changed.values() if line.batchref is not None])

    def _take(self, row: Row) -> Key | None:
        """The line of a row that can be used."""
        try:
            line = self._line(row)
        except (BadCommand, UnknownBatch, Unusable) as error:
            place = f"{self._table.path}, line {row.line}"
            self.problems.append(f"{place}: {error}; the row is left as it is")
            self.in_doubt[tuple(row.fields[:2])] = place
            return None
        self.lines[key_of(line)] = line
        return key_of(line)

    def _line(self, row: Row) -> Line:
        stored = bodies.checked(AllocationRow, members(row))
        batch = self._batches.get(stored.batchref)
        if batch is None:
            raise UnknownBatch(stored.batchref)
        if batch.sku != stored.sku:
            raise Unusable(f"Batch {batch.ref} is of {batch.sku}, not of {stored.sku}")
        if (stored.orderid, stored.sku) in self.lines:
            raise Unusable(f"Order {stored.orderid} has its line of {stored.sku} in a row above already")
        self._draw(batch, stored.qty)
        return Line(stored.orderid, stored.sku, stored.qty, arrived=0, status=Status.ALLOCATED, batchref=batch.ref)

    def _draw(self, batch: Batch, qty: int) -> None:
        if batch.available < qty:
            self._overdrawn.append(batch)
            raise Unusable(f"Batch {batch.ref} has only {batch.available} left of {batch.purchased}, not {qty}")
        batch.allocated += qty

    def _text(self, line: Line) -> str:
        return self._table.text_of({name: getattr(line, name) for name in AllocationRow.model_fields})


def key_of(line: Line) -> Key:
    return (line.orderid, line.sku)
