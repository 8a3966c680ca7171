"""The repository of the products in batches.csv and allocations.csv."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from allocation.adapters.csv.allocations import AllocationsCsv, read_allocations
from allocation.adapters.csv.batches import BatchesCsv, read_batches
from allocation.adapters.grouping import by_sku
from allocation.adapters.in_memory import LinesInMemory
from allocation.domain.changes import Changes
from allocation.domain.events import Event, Totals
from allocation.domain.model import Batch, TrackedLine
from allocation.domain.product import Product


class LineInDoubt(Exception):
    """An unusable row of allocations.csv names the line. Only a person can decide whether the line has a batch."""


def read_products(folder: Path) -> "CsvProducts":
    """Read both files of the folder. Raise BadFile as `read_batches` and `read_allocations` do."""
    batches = read_batches(folder / "batches.csv")
    return CsvProducts(batches, read_allocations(folder / "allocations.csv", batches.batches))


class CsvProducts:
    """Holds every product of the folder, even if the lock set does not name it. `problems` describes each unusable row.

    All products share `changes`. So `save` knows the order of the allocations of all products.
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
        """Raise LineInDoubt if an unusable row names one of the lines. `lines` holds pairs of order id and SKU."""
        for orderid, sku in lines:
            place = self._allocations.in_doubt.get((orderid, sku))
            if place is not None:
                raise LineInDoubt(f"Order {orderid}'s line of {sku} is in doubt: see {place}")

    def save(self) -> list[Event]:
        """Write the changes, batches.csv first. Return all events of the unit of work, in order.

        Raise BadFile if a file can't be written. batches.csv may then be new while allocations.csv is old.
        """
        # Write each row once, in the order of the last changes: this is the order of the allocations.
        latest = {id(row): row for row in reversed(self.changes.touched)}
        in_order = list(reversed(latest.values()))
        self._batches.write(row for row in in_order if isinstance(row, Batch))
        self._allocations.write(row for row in in_order if isinstance(row, TrackedLine))
        return self.changes.events

    def _product(self, sku: str, batches: Sequence[Batch], lines: Sequence[TrackedLine]) -> Product:
        """Build a product. Number the versions as if each batch, and then each line, had one event."""
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
