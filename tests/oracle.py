"""What must be true of the stores whatever has happened, said in plain SQL and plain Python."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, text

from readmodel.projections import batches, orders, products
from readmodel.store import Snapshot, Store

BREACHES = {
    "a batch's allocated quantity is that of the lines on it": """
        SELECT ref FROM batches WHERE allocated <>
            (SELECT coalesce(sum(qty), 0) FROM order_lines WHERE batchref = ref AND status = 'allocated')
    """,
    "no batch gives more than it has": "SELECT ref FROM batches WHERE allocated > purchased OR allocated < 0",
    "a line is on a batch of its own sku": """
        SELECT orderid FROM order_lines JOIN batches ON ref = batchref WHERE order_lines.sku <> batches.sku
    """,
    "a product's available units are those of its batches": """
        SELECT sku FROM products WHERE available <>
            (SELECT coalesce(sum(purchased - allocated), 0) FROM batches WHERE batches.sku = products.sku)
    """,
    "a product's waiting lines and units are those of its lines": """
        SELECT sku FROM products WHERE (waiting_lines, waiting_units) <>
            (SELECT count(*), coalesce(sum(qty), 0) FROM order_lines
             WHERE order_lines.sku = products.sku AND status = 'waiting')
    """,
    "no line waits that would fit": """
        SELECT orderid FROM order_lines JOIN batches USING (sku)
        WHERE status = 'waiting' AND qty <= purchased - batches.allocated
    """,
    "versions have no gap": """
        SELECT sku FROM products WHERE (version, version) <>
            (SELECT count(*), coalesce(max(version), 0) FROM events WHERE events.sku = products.sku)
    """,
    "every transaction of the log has one end": """
        SELECT transaction FROM events GROUP BY transaction
        HAVING count(*) FILTER (WHERE last) <> 1 OR max(position) <> max(position) FILTER (WHERE last)
    """,
}


def assert_the_state_is_sound(engine: Engine) -> None:
    with engine.connect() as connection:
        for rule, breach in BREACHES.items():
            assert connection.execute(text(breach)).scalars().all() == [], rule
        latest = {}
        for (event,) in connection.execute(text("SELECT data FROM events ORDER BY position")):
            for row in [event.get("line"), *event["batches"]]:
                if row is not None:
                    latest[event["sku"], row.get("orderid"), row.get("ref")] = row
        assert {(sku, line["orderid"], None): line for sku, line in lines(engine)} == {
            key: row for key, row in latest.items() if key[1] is not None
        }, "the last event of a line is what the line is"
        assert {(batch["sku"], batch["ref"]): batch["qty"] for batch in stored_batches(engine)} == {
            (sku, ref): row["qty"] for (sku, _, ref), row in latest.items() if ref is not None
        }, "the last event of a batch is what the batch is"


def lines(engine: Engine) -> list[tuple[str, dict[str, Any]]]:
    """Each line's SKU, and the line as events tell it."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT sku, orderid, qty, status, batchref FROM order_lines")).mappings()
        return [(row["sku"], {name: row[name] for name in row if name != "sku"}) for row in rows]


def stored_batches(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT ref, sku, purchased AS qty, allocated, eta::text FROM batches"))
        return [dict(row) for row in rows.mappings()]


def assert_the_views_are_the_state(engine: Engine, store: Store) -> None:
    expected: dict[str, dict[str, Any]] = {}
    for sku, line in lines(engine):
        expected.setdefault(line.pop("orderid"), {})[sku] = line
    for orderid, its_lines in expected.items():
        view = shown(store, orders.order, orderid)
        members = ("qty", "status", "batchref")
        assert {line["sku"]: {name: line[name] for name in members} for line in view["lines"]} == its_lines, orderid
    for batch in stored_batches(engine):
        view = shown(store, batches.batch, batch["ref"])
        assert {name: view[name] for name in batch} == batch
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM products WHERE version > 0")).all()
    for row in rows:
        view = shown(store, products.product, row.sku)
        assert (view["version"], view["available"]) == (row.version, row.available)
        assert view["waiting"] == {"lines": row.waiting_lines, "units": row.waiting_units}
        assert sum(batch["available"] for batch in view["batches"]) == row.available


def shown(store: Store, view: Callable[[Snapshot, str], dict[str, Any] | None], name: str) -> dict[str, Any]:
    found = store.read(lambda snapshot: view(snapshot, name))
    assert found is not None, name
    return found


def views_are_the_state(engine: Engine, store: Store) -> bool:
    assert_the_views_are_the_state(engine, store)
    return True
