"""Transactions that move very many lines. They are atomic, and they get longer time-outs than ordinary ones."""

import threading

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres import repository
from allocation.adapters.postgres.driver.engine import TIMEOUTS, create_postgres_engine
from allocation.adapters.postgres.log import event_log
from allocation.components import create_message_bus, leave_to_relay
from allocation.domain.commands import Allocate, ChangeBatchQuantity, Command, CreateBatch
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import StoreUnavailable
from readmodel.store import store
from readmodel.store.store import Store
from tests.model.oracle import assert_the_state_is_sound, assert_the_views_are_the_state

CREATE_SLOW_FUNCTION = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$
"""
PAGE = 1_000
LINES = 2 * PAGE + 500


@pytest.mark.slow
def test_readers_see_a_large_transaction_as_a_whole(
    projecting_bus: MessageBus, model: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "LINES_PAGE", PAGE)
    monkeypatch.setattr(event_log, "APPENDED_AT_ONCE", PAGE)
    monkeypatch.setattr(store, "APPLIED_AT_ONCE", PAGE)
    lines: list[Command] = [Allocate(f"o{n}", "S", 1) for n in range(LINES)]
    projecting_bus.handle(CreateBatch("b1", "S", LINES))
    projecting_bus.handle(CreateBatch("b2", "S", LINES))
    assert set(projecting_bus.handle_all(lines)) == {Done()}
    seen: set[tuple[int, ...]] = set()
    done = threading.Event()

    def look() -> None:
        query = text(
            "SELECT count(*) FILTER (WHERE batchref = 'b1'), count(*) FILTER (WHERE batchref = 'b2') FROM order_lines"
        )
        while not done.is_set():
            with engine.connect() as connection:
                seen.add(tuple(connection.execute(query).one()))

    observer = threading.Thread(target=look)
    observer.start()
    try:
        projecting_bus.handle(ChangeBatchQuantity("b1", 0))
    finally:
        done.set()
        observer.join()
    assert seen <= {(LINES, 0), (0, LINES)}
    assert (LINES, 0) in seen
    assert_the_views_are_the_state(engine, model)  # No relay runs, so the fast path alone has applied the events.
    assert_the_state_is_sound(engine)
    with engine.connect() as connection:
        largest = "SELECT count(*) FROM events GROUP BY transaction ORDER BY 1 DESC LIMIT 1"
        assert connection.execute(text(largest)).scalar_one() == 2 * LINES + 1


@pytest.mark.parametrize(
    ("lines", "succeeds"), [pytest.param(2, False, id="less-than-a-page"), pytest.param(7, True, id="several-pages")]
)
def test_large_transaction_gets_longer_time_outs(
    lines: int, succeeds: bool, bus: MessageBus, engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trigger makes each write of lines slower than the statement time-out of an ordinary command."""
    monkeypatch.setattr(repository, "LINES_PAGE", 3)
    bus.handle(CreateBatch("b1", "S", 10))
    assert set(bus.handle_all([Allocate(f"o{n}", "S", 1) for n in range(lines)])) == {Done()}
    with engine.begin() as connection:
        connection.execute(text(CREATE_SLOW_FUNCTION))
        connection.execute(text("CREATE TRIGGER slow AFTER UPDATE ON order_lines EXECUTE FUNCTION slow()"))
    hasty = create_postgres_engine(database_url, timeouts=TIMEOUTS | {"statement_timeout": "200ms"})
    hasty_bus = create_message_bus(hasty, leave_to_relay)
    if succeeds:
        hasty_bus.handle(ChangeBatchQuantity("b1", 0))
    else:
        with pytest.raises(StoreUnavailable):
            hasty_bus.handle(ChangeBatchQuantity("b1", 0))
    hasty.dispose()
