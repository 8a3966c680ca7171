"""A session that reaches a standby before its promotion survives the promotion."""

import pytest

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.adapters.postgres.subscriptions import locked_cursor
from allocation.service_layer.unit_of_work import StoreUnavailable
from tests.support.failovers.replication import ReplicatedPostgres
from tests.support.failovers.service import Service


@pytest.mark.slow
def test_nothing_reads_the_log_of_a_standby(servers: ReplicatedPostgres, service: Service) -> None:
    """Its sequence is up to 32 ahead of its events, so a cursor would skip the events that it has not replayed."""
    assert service.api.add_batch("b1", "S", 10).status == 201
    servers.wait_for_standby()
    standby = create_postgres_engine(servers.standby_url, direct=True)
    log = EventLog(standby)
    for read in (log.end, lambda: log.read(0), log.history, log.database):
        with pytest.raises(StoreUnavailable, match="the database is a standby"):
            read()
    with (
        pytest.raises(StoreUnavailable, match="the database is a standby"),
        locked_cursor(standby, "out_of_stock") as cursor,
    ):
        assert cursor is not None
        cursor.read(["OutOfStock"], None)
    standby.dispose()
