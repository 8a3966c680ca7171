"""The data mapper: it builds products from rows, and writes their changes to the rows.

The number of statements does not depend on the number of products.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter

from allocation.adapters.grouping import by_sku
from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.arrays import array, arrays
from allocation.adapters.postgres.driver.transaction import PostgresTransaction, Values
from allocation.adapters.postgres.loading import Loaded, as_line, lock_and_read
from allocation.domain.changes import Changes
from allocation.domain.model import Batch, TrackedLine
from allocation.domain.product import Product
from allocation.service_layer.unit_of_work import LockSet

CHANGING_COLUMNS = ("ref", "purchased", "eta", "allocated", "shipped", "version")
LINES_PAGE = 5_000


def load_products(transaction: PostgresTransaction, locks: LockSet, changes: Changes) -> "SqlProducts":
    """Lock and read the products of the lock set. Raise RetryableError as `lock_and_read` does."""
    return SqlProducts(transaction, locks, changes, lock_and_read(transaction, locks))


class SqlProducts:
    """The repository of one unit of work, and the LineLookup of its products.

    Only one thread may use it.
    """

    def __init__(self, transaction: PostgresTransaction, locks: LockSet, changes: Changes, loaded: Loaded) -> None:
        self._transaction = transaction
        self._locks = locks
        self._changes = changes
        self._saved = 0
        self.history = loaded.history
        self._batches = {batch.ref: batch for batch in loaded.batches}
        self._stored_refs = set(self._batches)
        self._products = self._assemble(loaded)

    def get(self, sku: str) -> Product | None:
        product = self._products.get(sku)
        if product is None:
            self._locks.require_sku(sku)
            return None
        return product if product.version > 0 else None

    def get_or_create(self, sku: str) -> Product:
        if sku not in self._products:
            self._locks.require_new_sku(sku)
        return self._products[sku]

    def get_by_batchref(self, ref: str) -> Product | None:
        self._locks.require_owner_of(ref)
        batch = self._batches.get(ref)
        if batch is None:
            return None
        # If another transaction created the batch after the lock, its product is not locked: return None.
        return self._products.get(batch.sku)

    def of_order(self, orderid: str) -> Sequence[Product]:
        self._locks.require_order(orderid)
        return [self._products[sku] for sku in sorted(self._products) if orderid in self._products[sku].lines]

    def batch(self, ref: str) -> Batch | None:
        self._locks.require_batch(ref)
        return self._batches.get(ref)

    def require_line(self, orderid: str, sku: str) -> None:
        self._locks.require_line(orderid, sku)

    def oldest_waiting(self, sku: str, after: int, largest: int, units: int) -> Sequence[TrackedLine]:
        wanted = {"sku": sku, "after": after, "largest": largest, "units": units, "page": LINES_PAGE}
        return self._look_up(sku, statements.READ_WAITING_LINES, wanted)

    def latest_on(self, batch: Batch, before: int, most: int) -> Sequence[TrackedLine]:
        wanted = {"batchref": batch.ref, "before": before, "page": min(most, LINES_PAGE)}
        return self._look_up(batch.sku, statements.READ_LATEST_LINES, wanted)

    def delete_unused(self) -> None:
        """Delete the products that this transaction created and that still have no batch."""
        unused = [product.sku for product in self._products.values() if product.version == 0]
        if unused:
            self._transaction.add(statements.DELETE_PRODUCTS, {"skus": array(unused)})

    def save(self) -> None:
        """Write the state of each product, batch and line that changed since the last call."""
        touched = {id(row): row for row in self._changes.touched[self._saved :]}.values()
        self._saved = len(self._changes.touched)
        changed = [self._products[sku] for sku in {row.sku for row in touched}]
        lines = [row for row in touched if isinstance(row, TrackedLine)]
        self._execute(statements.WRITE_PRODUCTS, statements.PRODUCT_COLUMNS, map(product_row, changed))
        self._write_batches([row for row in touched if isinstance(row, Batch)])
        columns = statements.LINE_COLUMNS
        self._execute(statements.WRITE_LINES, columns, map(attrgetter(*columns), lines))

    def _look_up(self, sku: str, statement: str, wanted: Values) -> Sequence[TrackedLine]:
        self.save()  # The query must see every change of this unit of work.
        known = self._products[sku].lines
        lines = list(map(as_line, self._transaction.query(statement, wanted)))
        if len(lines) == LINES_PAGE:
            self._transaction.query(statements.EXTEND_TIMEOUTS)  # At once: the caller now works on a full page.
        return [known.setdefault(line.orderid, line) for line in lines]

    def _assemble(self, loaded: Loaded) -> dict[str, Product]:
        batches_of, lines_of = by_sku(loaded.batches), by_sku(loaded.lines)
        return {
            row.sku: Product(
                row.sku,
                self,
                self._changes,
                version=row.version,
                totals=row.totals,
                batches=batches_of[row.sku],
                lines={line.orderid: line for line in lines_of[row.sku]},
            )
            for row in loaded.products
        }

    def _write_batches(self, batches: Sequence[Batch]) -> None:
        new = [batch for batch in batches if batch.ref not in self._stored_refs]
        stored = [batch for batch in batches if batch.ref in self._stored_refs]
        columns = statements.BATCH_COLUMNS
        self._execute(statements.ADD_BATCHES, columns, map(attrgetter(*columns), new))
        self._execute(statements.WRITE_BATCHES, CHANGING_COLUMNS, map(attrgetter(*CHANGING_COLUMNS), stored))
        self._stored_refs.update(batch.ref for batch in new)

    def _execute(self, statement: str, columns: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
        if rows := list(rows):
            self._transaction.add(statement, arrays(columns, rows))


def product_row(product: Product) -> tuple[object, ...]:
    totals = product.totals
    return (product.sku, product.version, totals.available, totals.waiting_lines, totals.waiting_units)
