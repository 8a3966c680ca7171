import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.service_layer.unit_of_work import History
from tests.support.adapters.event_log import append, out_of_stock


@pytest.fixture
def first(engine: Engine, log: EventLog) -> History:
    """The history of a log with two events, after the first check has recorded the server."""
    with engine.begin() as connection:
        append(connection, out_of_stock("S", 1), out_of_stock("S", 2))
    return log.history()
