"""The repository over batches.csv and allocations.csv: every product of a folder."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from allocation.adapters.csv.allocations import AllocationsCsv
from allocation.adapters.csv.batches import BatchesCsv
from allocation.adapters.in_memory import LinesInMemory
from allocation.domain.changes import Changes
from allocation.domain.events import Event, Totals
from allocation.domain.model import Batch, Line
from allocation.domain.product import Product

BatchOrLine = TypeVar("BatchOrLine", Batch, Line)


class LineInDoubt(Exception):
    """A row that can't be used names the line: whether it is on a batch is for a person to say."""


class CsvProducts:
    """Knows all that is in the folder, whatever the keys name. `problems` tells of each row that can't be used.

    `changes` are those of every product: lines are written in the order in which they were allocated across SKUs.
    """

    def __init__(self, folder: Path) -> None:
        self._batches = BatchesCsv(folder / "batches.csv")
        self._allocations = AllocationsCsv(folder / "allocations.csv", self._batches.batches)
        self.problems = self._batches.problems + self._allocations.problems
        self.changes = Changes()
        batches, lines = by_sku(self._batches.batches.values()), by_sku(self._allocations.lines.values())
        self._products = {sku: self._product(sku, batches[sku], lines.get(sku, ())) for sku in batches}

    def get(self, sku: str) -> Product | None:
        product = self._products.get(sku)
        return product if product is not None and product.version > 0 else None

    def get_or_create(self, sku: str) -> Product:
        if sku not in self._products:
            self._products[sku] = self._product(sku, (), ())
        return self._products[sku]

    def get_by_batchref(self, ref: str) -> Product | None:
        batch = self.batch(ref)
        return self._products[batch.sku] if batch is not None else None

    def of_order(self, orderid: str) -> Sequence[Product]:
        return [self._products[sku] for sku in sorted(self._products) if orderid in self._products[sku].lines]

    def batch(self, ref: str) -> Batch | None:
        return self._batches.batches.get(ref)

    def refuse_in_doubt(self, lines: Iterable[tuple[str, str]]) -> None:
        """Raises LineInDoubt where one of these lines (order and SKU) is named by a row that can't be used."""
        for orderid, sku in lines:
            place = self._allocations.in_doubt.get((orderid, sku))
            if place is not None:
                raise LineInDoubt(f"Order {orderid}'s line of {sku} is in doubt, see {place}")

    def save(self) -> list[Event]:
        """Write what changed, batches first; return the events of the unit of work, in their order.

        Raises BadFile: of allocations.csv nothing has changed.
        """
        latest = {id(row): row for row in reversed(self.changes.touched)}
        in_order = list(reversed(latest.values()))
        self._batches.write(row for row in in_order if isinstance(row, Batch))
        self._allocations.write(row for row in in_order if isinstance(row, Line))
        return self.changes.events

    def _product(self, sku: str, batches: Sequence[Batch], lines: Sequence[Line]) -> Product:
        """Each batch and then each line has had one event."""
        for version, batch in enumerate(batches, start=1):
            batch.version = version
        for version, line in enumerate(lines, start=len(batches) + 1):
            line.version = line.arrived = line.placed = version
        totals = Totals(sum(batch.available for batch in batches), waiting_lines=0, waiting_units=0)
        version = len(batches) + len(lines)
        known = {line.orderid: line for line in lines}
        return Product(
            sku, LinesInMemory(known), self.changes, version=version, totals=totals, batches=batches, lines=known
        )


def by_sku(rows: Iterable[BatchOrLine]) -> dict[str, list[BatchOrLine]]:
    groups = defaultdict(list)
    for row in rows:
        groups[row.sku].append(row)
    return groups
