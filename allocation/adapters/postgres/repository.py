"""The data mapper: products from rows and back, one statement per table for all the products of a unit of work."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import starmap
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, TextClause

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.arrays import array, arrays
from allocation.domain.changes import Changes
from allocation.domain.events import Totals
from allocation.domain.model import Batch, Line, Status
from allocation.domain.product import Product
from allocation.service_layer.unit_of_work import Keys, RetryableError

CHANGING = ("ref", "purchased", "eta", "allocated", "shipped", "version")
LINES_PAGE = 5_000

Rows = Sequence[Row[Any]]
BatchOrLine = TypeVar("BatchOrLine", Batch, Line)


class SqlProducts:
    """The repository of one unit of work; belongs to its connection, and so to one thread."""

    def __init__(self, connection: Connection, keys: Keys, changes: Changes) -> None:
        self._connection = connection
        self._changes = changes
        self._saved = 0
        self._created: Sequence[str] = ()
        products = self._lock(keys)
        lines = self._read_lines(keys)
        if not {line.sku for line in lines} <= {row.sku for row in products}:
            raise RetryableError("An order got a line of another product while its products were locked")
        refs = keys.refs | keys.owners_of | {line.batchref for line in lines if line.batchref is not None}
        self._batches = {batch.ref: batch for batch in self._read_batches([row.sku for row in products], refs)}
        self._products = self._assemble(products, self._batches.values(), lines)
        self._stored_refs = set(self._batches)

    def get(self, sku: str) -> Product | None:
        product = self._products.get(sku)
        return product if product is not None and product.version > 0 else None

    def get_or_create(self, sku: str) -> Product:
        return self._products[sku]

    def get_by_batchref(self, ref: str) -> Product | None:
        batch = self._batches.get(ref)
        if batch is None:
            return None
        return self._products.get(batch.sku)  # None too where it was created since its owner was looked for.

    def batch(self, ref: str) -> Batch | None:
        return self._batches.get(ref)

    def of_order(self, orderid: str) -> Sequence[Product]:
        return [product for product in self._products.values() if orderid in product.lines]

    def oldest_waiting(self, sku: str, after: int, largest: int, units: int) -> Sequence[Line]:
        wanted = {"sku": sku, "after": after, "largest": largest, "units": units, "page": LINES_PAGE}
        return self._look_up(sku, statements.READ_WAITING_LINES, wanted)

    def latest_on(self, batch: Batch, before: int, most: int) -> Sequence[Line]:
        wanted = {"batchref": batch.ref, "before": before, "page": min(most, LINES_PAGE)}
        return self._look_up(batch.sku, statements.READ_LATEST_LINES, wanted)

    def _look_up(self, sku: str, statement: TextClause, wanted: dict[str, object]) -> Sequence[Line]:
        self.save()  # The query must see what this transaction has done to the lines so far.
        known = self._products[sku].lines
        rows = self._connection.execute(statement, wanted).all()
        if len(rows) == LINES_PAGE:
            self._connection.execute(statements.EXTEND_TIMEOUTS)
        return [known.setdefault(row.orderid, as_line(row)) for row in rows]

    def forget_refused(self) -> None:
        """A product of which the only batch was refused never was."""
        refused = [sku for sku in self._created if self._products[sku].version == 0]
        if refused:
            self._connection.execute(statements.DELETE_PRODUCTS, {"skus": array(refused)})

    def save(self) -> None:
        """Write what was touched since the last time, as it is now."""
        touched = {id(row): row for row in self._changes.touched[self._saved :]}.values()
        self._saved = len(self._changes.touched)
        changed = [self._products[sku] for sku in {row.sku for row in touched}]
        lines = [row for row in touched if isinstance(row, Line)]
        self._execute(statements.WRITE_PRODUCTS, statements.PRODUCT, map(product_row, changed))
        self._write_batches([row for row in touched if isinstance(row, Batch)])
        self._execute(statements.WRITE_LINES, statements.LINE, map(attrgetter(*statements.LINE), lines))

    def _lock(self, keys: Keys) -> Rows:
        if keys.new_skus:
            create = statements.locking(statements.CREATE_PRODUCTS, keys.patience)
            self._created = self._connection.execute(create, {"skus": array(keys.new_skus)}).scalars().all()
        skus = keys.skus | self._owners(keys.owners_of) | self._skus_of(keys.orders)
        lock = statements.locking(statements.LOCK_PRODUCTS, keys.patience)
        return self._connection.execute(lock, {"skus": array(skus)}).all()

    def _owners(self, refs: Collection[str]) -> set[str]:
        """Read without a lock: a batch never changes its SKU."""
        if not refs:
            return set()
        return set(self._connection.execute(statements.READ_OWNERS, {"refs": array(refs)}).scalars())

    def _skus_of(self, orders: Collection[str]) -> set[str]:
        if not orders:
            return set()
        return set(self._connection.execute(statements.READ_SKUS_OF_ORDERS, {"orderids": array(orders)}).scalars())

    def _read_batches(self, skus: Collection[str], refs: Collection[str]) -> Iterable[Batch]:
        rows = list(self._connection.execute(statements.READ_OPEN_BATCHES, {"skus": array(skus)}))
        if refs:
            rows += self._connection.execute(statements.READ_BATCHES, {"refs": array(refs)})
        return starmap(Batch, rows)

    def _read_lines(self, keys: Keys) -> Sequence[Line]:
        lines: list[Line] = []
        if keys.lines:
            wanted = arrays(("orderids", "skus"), list(keys.lines))
            lines += map(as_line, self._connection.execute(statements.READ_LINES, wanted))
        if keys.orders:
            lines += map(as_line, self._connection.execute(statements.READ_ORDERS, {"orderids": array(keys.orders)}))
        return lines

    def _assemble(self, rows: Rows, batches: Iterable[Batch], lines: Iterable[Line]) -> dict[str, Product]:
        batches_of, lines_of = by_sku(batches), by_sku(lines)
        return {
            row.sku: Product(
                row.sku,
                self,
                self._changes,
                version=row.version,
                totals=Totals(row.available, row.waiting_lines, row.waiting_units),
                batches=batches_of[row.sku],
                lines={line.orderid: line for line in lines_of[row.sku]},
            )
            for row in rows
        }

    def _write_batches(self, batches: Sequence[Batch]) -> None:
        new = [batch for batch in batches if batch.ref not in self._stored_refs]
        old = [batch for batch in batches if batch.ref in self._stored_refs]
        self._execute(statements.ADD_BATCHES, statements.BATCH, map(attrgetter(*statements.BATCH), new))
        self._execute(statements.WRITE_BATCHES, CHANGING, map(attrgetter(*CHANGING), old))
        self._stored_refs.update(batch.ref for batch in new)

    def _execute(self, statement: TextClause, columns: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
        if rows := list(rows):
            self._connection.execute(statement, arrays(columns, rows))


def as_line(row: Sequence[Any]) -> Line:
    orderid, sku, qty, arrived, status, *rest = row
    return Line(orderid, sku, qty, arrived, Status(status), *rest)


def product_row(product: Product) -> tuple[object, ...]:
    totals = product.totals
    return (product.sku, product.version, totals.available, totals.waiting_lines, totals.waiting_units)


def by_sku(rows: Iterable[BatchOrLine]) -> dict[str, list[BatchOrLine]]:
    groups = defaultdict(list)
    for row in rows:
        groups[row.sku].append(row)
    return groups
