"""Checks of the real stores: PostgreSQL against its invariants, and the views in Redis against PostgreSQL."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Engine, text

from allocation.adapters.postgres.checks.audit import audit
from readmodel.store.lists import PageRequest
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.store import Store
from readmodel.views import batches, orders, products
from tests.model.lists import assert_the_lists_are_the_state


def assert_the_state_is_sound(engine: Engine) -> None:
    assert [finding for finding in audit(engine) if finding.breaches] == []


def lines(engine: Engine) -> list[tuple[str, dict[str, Any]]]:
    """Return the SKU of each line, and the line in the shape that events have."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT sku, orderid, qty, status, batchref FROM order_lines")).mappings()
        return [(row["sku"], {name: row[name] for name in row if name != "sku"}) for row in rows]


def stored_batches(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT ref, sku, purchased AS qty, allocated, eta::text FROM batches"))
        return [dict(row) for row in rows.mappings()]


def assert_the_views_are_the_state(engine: Engine, store: Store) -> None:
    """Query the view of every order, batch and product, and compare it with the rows in PostgreSQL."""
    expected: dict[str, dict[str, Any]] = {}
    for sku, line in lines(engine):
        expected.setdefault(line.pop("orderid"), {})[sku] = line
    for orderid, order_lines in expected.items():
        view = query(store, orders.order, orderid)
        members = ("qty", "status", "batchref")
        assert {line["sku"]: {name: line[name] for name in members} for line in view["lines"]} == order_lines, orderid
    for batch in stored_batches(engine):
        view = query(store, batches.batch, batch["ref"])
        assert {name: view[name] for name in batch} == batch
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM products WHERE version > 0")).all()
    for row in rows:
        view = query(store, partial(products.product, wanted=PageRequest(10_000)), row.sku)
        assert (view["version"], view["available"]) == (row.version, row.available)
        assert view["waiting"] == {"lines": row.waiting_lines, "units": row.waiting_units}
        assert sum(batch["available"] for batch in view["batches"]) == row.available
    assert_the_lists_are_the_state(engine, store)


def query(store: Store, view: Callable[[Snapshot, str], Reading[dict[str, Any] | None]], name: str) -> dict[str, Any]:
    answer = store.read(lambda snapshot: view(snapshot, name)).value
    assert answer is not None, name
    return answer


def views_are_the_state(engine: Engine, store: Store) -> bool:
    """Do the same, but return True, so that `eventually` repeats the check until it succeeds."""
    assert_the_views_are_the_state(engine, store)
    return True
