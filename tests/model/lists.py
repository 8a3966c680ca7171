"""Checks of the lists of the views against PostgreSQL: products, waiting lists, promises and histories of orders."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from sqlalchemy import Engine, text

from readmodel.store.lists import PageRequest
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.store import Store
from readmodel.views import order_history, orders, products, promises

KEPT, PAGE = 100, 7
Row = dict[str, Any]
View = Callable[[Snapshot, PageRequest], Reading[Row | None]]


def assert_the_lists_are_the_state(engine: Engine, store: Store) -> None:
    rows = select(
        engine,
        "SELECT sku, available, waiting_lines, waiting_units, version FROM products WHERE version > 0 ORDER BY sku",
    )
    expected = [totals(row) for row in rows]
    assert whole_list(store, products.products, "products") == expected
    short = sorted((row for row in expected if row["waiting"]["lines"]), key=lambda row: -row["waiting"]["units"])
    assert whole_list(store, lambda snapshot, page: products.products(snapshot, page, short=True), "products") == short
    waiting = select(engine, "SELECT sku, orderid, qty FROM order_lines WHERE status = 'waiting' ORDER BY sku, arrived")
    stock = select(
        engine,
        "SELECT sku, ref, CAST(eta AS text) AS eta, purchased - allocated AS room FROM batches"
        " WHERE purchased > allocated ORDER BY sku, eta NULLS FIRST, ref",
    )
    for row in expected:
        assert_the_waiting_list(store, row, [line for line in waiting if line["sku"] == row["sku"]])
        assert_the_promises(store, row, [batch for batch in stock if batch["sku"] == row["sku"]])
    assert_the_histories(store, select(engine, "SELECT sku, version, data FROM events ORDER BY position"))


def totals(row: Row) -> Row:
    waiting = {"lines": row["waiting_lines"], "units": row["waiting_units"]}
    return {"sku": row["sku"], "available": row["available"], "waiting": waiting, "version": row["version"]}


def assert_the_waiting_list(store: Store, row: Row, lines: Sequence[Row]) -> None:
    found = whole_list(store, lambda snapshot, page: orders.waiting_list(snapshot, row["sku"], page), "lines")
    assert found == [{"orderid": line["orderid"], "qty": line["qty"]} for line in lines], row["sku"]


def assert_the_promises(store: Store, row: Row, stock: Sequence[Row]) -> None:
    for qty in {1, *(max(1, batch["room"] + more) for batch in stock for more in (-1, 0, 1))}:
        chosen = next((batch for batch in stock if batch["room"] >= qty), None)
        expected = {"sku": row["sku"], "qty": qty, "status": "waiting", "batchref": None, "eta": None}
        expected |= {"behind": row["waiting"]}
        if chosen is not None:
            expected |= {"status": "allocated", "batchref": chosen["ref"], "eta": chosen["eta"], "behind": None}
        assert store.read(partial(promises.promise, sku=row["sku"], qty=qty)).value == expected


def assert_the_histories(store: Store, logged: Sequence[Row]) -> None:
    entries = [entry(row["data"]) for row in logged if "line" in row["data"]]
    for orderid, group in groupby(sorted(entries, key=lambda one: one[0]), key=lambda one: one[0]):
        events = sorted((event for _, event in group), key=lambda one: (one["at"], one["sku"], one["version"]))
        found = whole_list(store, partial(history, orderid), "events")
        assert found == events[-KEPT:], orderid


def history(orderid: str, snapshot: Snapshot, page: PageRequest) -> Reading[Row | None]:
    return order_history.order_history(snapshot, orderid, page)


def entry(data: Row) -> tuple[str, Row]:
    line = data["line"]
    event = {"at": data["at"], "event": data["type"], "sku": data["sku"], "version": data["version"]}
    event |= {"qty": line["qty"], "batchref": line["batchref"], "why": data.get("why"), "actor": data.get("actor")}
    return line["orderid"], event


def whole_list(store: Store, view: View, member: str) -> list[Row]:
    """Return the entries of all pages."""
    return [one for page in pages(store, view) for one in page[member]]


def pages(store: Store, view: View) -> Iterator[Row]:
    after: str | None = None
    while True:
        wanted = PageRequest(PAGE, after)
        page = store.read(partial(call, view, wanted)).value
        assert page is not None
        yield page
        after = page["next"]
        if after is None:
            return


def call(view: View, wanted: PageRequest, snapshot: Snapshot) -> Reading[Row | None]:
    return view(snapshot, wanted)


def select(engine: Engine, query: str) -> list[Row]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]
