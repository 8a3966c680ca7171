"""The relay names the transaction that holds back the log."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from allocation import components
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.adapters.postgres.log.fence import holders
from allocation.domain.commands import CreateBatch
from allocation.entrypoints.relay.fence_watch import FenceWatch
from allocation.service_layer.messagebus import MessageBus
from allocation.shutdown import Shutdown
from tests.support.adapters.event_log import append, out_of_stock, read_all
from tests.support.eventually import eventually


@pytest.fixture
def watch(engine: Engine) -> Iterator[None]:
    shutdown = Shutdown()
    thread = FenceWatch(engine, shutdown)
    thread.start()
    yield
    shutdown.request()
    thread.join()


def test_the_relay_logs_each_holder_of_the_fence_once(
    engine: Engine, bus: MessageBus, log: EventLog, watch: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with engine.connect() as holder:
        append(holder, out_of_stock("HELD", 1))
        pid = holder.execute(text("SELECT pg_backend_pid()")).scalar_one()
        bus.handle(CreateBatch("b1", "S", 1))
        eventually(
            lambda: f"(idle in transaction, last statement: SELECT pg_backend_pid()): process {pid}" in caplog.text
        )
        assert read_all(log) == [], "the transaction holds back no event, so the line is wrong"
        holder.rollback()
    eventually(lambda: "Views and announcements follow every transaction again after" in caplog.text)
    assert len([message for message in caplog.messages if f"process {pid}" in message]) == 1
    assert read_all(log) == ["S1"]


def test_a_transaction_without_events_holds_nothing(engine: Engine) -> None:
    with engine.connect() as idle:
        idle.execute(text("SELECT pg_current_xact_id()"))
        assert holders(engine, older_than=0.0) == []
        append(idle, out_of_stock("HELD", 1))
        [holder] = holders(engine, older_than=0.0)
        assert (holder.state, holder.seconds > 0) == ("idle in transaction", True)


@pytest.mark.slow  # It waits for the time-out of five seconds.
def test_postgresql_ends_an_idle_transaction_that_has_appended(database_url: str, log: EventLog) -> None:
    """Otherwise a stopped worker would hold back all views and announcements."""
    production = create_postgres_engine(database_url)
    bus = components.create_message_bus(production, components.leave_to_relay)
    stopped = production.connect()
    append(stopped, out_of_stock("HELD", 1))
    bus.handle(CreateBatch("b1", "S", 1))
    assert read_all(log) == []
    eventually(lambda: read_all(log) == ["S1"])
    stopped.invalidate()
    stopped.close()
    production.dispose()
