"""The repository over batches.csv and allocations.csv: every product of a folder."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from allocation.adapters.csv.allocations import AllocationsCsv, read_allocations
from allocation.adapters.csv.batches import BatchesCsv, read_batches
from allocation.adapters.in_memory import LinesInMemory
from allocation.domain.changes import Changes
from allocation.domain.events import Event, Totals
from allocation.domain.model import Batch, TrackedLine
from allocation.domain.product import Product

BatchOrLine = TypeVar("BatchOrLine", Batch, TrackedLine)


class LineInDoubt(Exception):
    """An unusable row names the line. Only a person can say whether it has a batch."""


def read_products(folder: Path) -> "CsvProducts":
    """Raises BadFile."""
    batches = read_batches(folder / "batches.csv")
    return CsvProducts(batches, read_allocations(folder / "allocations.csv", batches.batches))


class CsvProducts:
    """Holds the whole folder, whatever the lock set names. `problems` describes each unusable row.

    All products share `changes`, so that lines are written in the order in which they were allocated.
    """

    def __init__(self, batches_csv: BatchesCsv, allocations_csv: AllocationsCsv) -> None:
        self._batches = batches_csv
        self._allocations = allocations_csv
        self.problems = batches_csv.problems + allocations_csv.problems
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
        """Raise LineInDoubt if an unusable row names one of these lines. They are pairs of order id and SKU."""
        for orderid, sku in lines:
            place = self._allocations.in_doubt.get((orderid, sku))
            if place is not None:
                raise LineInDoubt(f"Order {orderid}'s line of {sku} is in doubt: see {place}")

    def save(self) -> list[Event]:
        """Write the changes, batches first. Return the events of the unit of work in their order.

        Raises BadFile: allocations.csv has not changed.
        """
        latest = {id(row): row for row in reversed(self.changes.touched)}
        in_order = list(reversed(latest.values()))
        self._batches.write(row for row in in_order if isinstance(row, Batch))
        self._allocations.write(row for row in in_order if isinstance(row, TrackedLine))
        return self.changes.events

    def _product(self, sku: str, batches: Sequence[Batch], lines: Sequence[TrackedLine]) -> Product:
        """Build a product as if each batch and then each line had had one event."""
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
