"""SQL finds the lines that each contender has stored, and the oversell check finds the lines that it oversold."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from allocation import components
from allocation.domain.commands import Allocate, CreateBatch
from benchmarks.peers.book.handlers import add_batch, allocate
from benchmarks.peers.book.model import Batch, OutOfStock, UnknownSku
from benchmarks.peers.book.orm import mapper
from benchmarks.peers.book.unit_of_work import create_sessions
from benchmarks.peers.breaches import breaches
from benchmarks.peers.stored import BOOK, EVENTSOURCED, SERVICE, StoredLine, count_lines, read_lines

SKU, STOCK = "LAMP", {"batch-1": 2, "batch-2": 1}
LINES = [StoredLine("order-1", 2, "batch-1"), StoredLine("order-2", 1, "batch-2")]
ACKNOWLEDGED = {"order-1": 2, "order-2": 1, "order-3": 1}


def assert_defect_is_found(engine: Engine, stored: str, plant: str) -> None:
    """Check the correct database, then execute the statement that adds order-3, and check again."""
    found = sorted(read_lines(engine, stored, "order-"))
    assert found == LINES
    assert read_lines(engine, stored, "other-") == []
    assert list(breaches(STOCK, {"order-1": 2, "order-2": 1}, found)) == []
    with engine.begin() as connection:
        connection.exec_driver_sql(plant)
    assert count_lines(engine, stored) == 3
    oversold = "batch batch-1 has 2 units, and 3 are allocated"
    assert list(breaches(STOCK, ACKNOWLEDGED, read_lines(engine, stored, "order-"))) == [oversold]


def allocate_until_out_of_stock(allocate: Callable[[str, str, int], str], out_of_stock: type[Exception]) -> None:
    assert allocate("order-1", SKU, 2) == "batch-1"
    assert allocate("order-2", SKU, 1) == "batch-2"
    with pytest.raises(out_of_stock):
        allocate("order-3", SKU, 1)


@pytest.fixture
def empty_engine(engine: Engine) -> Engine:
    """Return an engine of a database whose schema `public` is empty."""
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return engine


def test_lines_that_the_service_oversold_are_found(engine: Engine) -> None:
    bus = components.create_message_bus(engine, components.leave_to_relay)
    for ref, qty in STOCK.items():
        bus.handle(CreateBatch(ref, SKU, qty))
    for line in LINES:
        bus.handle(Allocate(line.orderid, SKU, line.qty))
    assert_defect_is_found(
        engine,
        SERVICE,
        "INSERT INTO order_lines (orderid, sku, qty, status, batchref, version, arrived) "
        "SELECT 'order-3', sku, 1, status, batchref, 9, 9 FROM order_lines WHERE orderid = 'order-1'",
    )


def test_lines_that_the_book_oversold_are_found(empty_engine: Engine, database_url: str) -> None:
    mapper.metadata.create_all(empty_engine)
    sessions = create_sessions(database_url, connections=1)
    for ref, qty in STOCK.items():
        add_batch(Batch(ref, SKU, qty), sessions)
    with pytest.raises(UnknownSku):
        allocate("order-1", "SOFA", 1, sessions)
    allocate_until_out_of_stock(lambda orderid, sku, qty: allocate(orderid, sku, qty, sessions), OutOfStock)
    assert_defect_is_found(
        empty_engine,
        BOOK,
        "WITH line AS (INSERT INTO order_lines (orderid, sku, qty) VALUES ('order-3', 'LAMP', 1) RETURNING id) "
        "INSERT INTO allocations (line_id, batch_id) SELECT line.id, batches.id FROM line, batches "
        "WHERE ref = 'batch-1'",
    )
    sessions.kw["bind"].dispose()


def test_lines_that_the_library_oversold_are_found(empty_engine: Engine, database_url: str) -> None:
    pytest.importorskip("eventsourcing", reason="needs the extra [peers]")
    from benchmarks.peers.eventsourced import product
    from benchmarks.peers.eventsourced.application import create_application

    with create_application(database_url, connections=1) as warehouse:
        warehouse.add_product(SKU, STOCK)
        allocate_until_out_of_stock(warehouse.allocate, product.OutOfStock)
        assert warehouse.allocate("order-1", SKU, 2) == "batch-1", "the line is on its batch already"
        assert_defect_is_found(
            empty_engine,
            EVENTSOURCED,
            "INSERT INTO warehouse_events (originator_id, originator_version, topic, state) "
            "SELECT originator_id, 9, topic, convert_to(replace(replace(convert_from(state, 'UTF8'), "
            "'order-1', 'order-3'), '\"qty\":2', '\"qty\":1'), 'UTF8') "
            "FROM warehouse_events WHERE strpos(convert_from(state, 'UTF8'), 'order-1') > 0",
        )
