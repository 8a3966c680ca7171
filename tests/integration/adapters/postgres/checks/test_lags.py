"""The lag of a reader of the log."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.checks import lags
from allocation.adapters.postgres.checks.lags import lag, subscription_lags
from allocation.adapters.postgres.log.fence import last_position_and_fence
from allocation.domain.events import Event
from allocation.event_handlers import subscribed_events
from tests.support.adapters.event_log import allocated, append, out_of_stock

OUT_OF_STOCK = ["OutOfStock"]


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        yield connection


def commit(engine: Engine, *events: Event) -> None:
    with engine.begin() as connection:
        append(connection, *events)


def fence(connection: Connection) -> int:
    return last_position_and_fence(connection)[1]


def test_lag_counts_the_events_above_the_cursor(engine: Engine, connection: Connection) -> None:
    before = fence(connection)
    commit(engine, out_of_stock("S", 1), allocated("S", 2), out_of_stock("S", 3))
    end = fence(connection)
    assert lag(connection, before, end).events == 3
    assert lag(connection, before, end, OUT_OF_STOCK).events == 2
    assert lag(connection, end, end) == (0, 0.0, False)


def test_lag_in_seconds_is_the_age_of_the_oldest_event(engine: Engine, connection: Connection) -> None:
    before = fence(connection)
    commit(engine, out_of_stock("S", 1), out_of_stock("S", 2))
    end = fence(connection)
    age = lag(connection, before + 1, end).seconds
    make_older(connection, "S", 1, seconds=10_000)
    assert lag(connection, before, end).seconds >= age + 10_000
    assert age <= lag(connection, before + 1, end).seconds < 10_000


@pytest.mark.parametrize("damage", ["data->'line'", '\'{"at": "soon"}\''], ids=["a missing moment", "a bad moment"])
def test_lag_counts_an_event_with_a_damaged_moment(damage: str, engine: Engine, connection: Connection) -> None:
    before = fence(connection)
    commit(engine, out_of_stock("S", 1))
    connection.execute(text(f"UPDATE events SET data = coalesce(CAST({damage} AS json), '{{}}')"))
    assert lag(connection, before, fence(connection)) == (1, 0.0, False)


def test_lag_omits_events_above_the_fence(engine: Engine, connection: Connection) -> None:
    before = fence(connection)
    with engine.connect() as slow:
        append(slow, out_of_stock("S", 1))
        commit(engine, out_of_stock("T", 1))
        assert lag(connection, before, fence(connection)).events == 0
        slow.commit()
    assert lag(connection, before, fence(connection)).events == 2


def test_lag_says_that_there_are_more_events(
    engine: Engine, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fence(connection)
    commit(engine, *(out_of_stock("S", version) for version in range(1, 6)))
    end = fence(connection)
    monkeypatch.setattr(lags, "MOST_COUNTED", 4)
    assert lag(connection, before, end)[::2] == (4, True)
    monkeypatch.setattr(lags, "MOST_COUNTED", 5)
    assert lag(connection, before, end)[::2] == (5, False)
    monkeypatch.setattr(lags, "MOST_SEARCHED", 3)
    assert lag(connection, before, end)[::2] == (3, True)


def test_subscription_that_has_seen_everything_has_no_lag(engine: Engine, connection: Connection) -> None:
    """Its stored cursor is older: the log has no event for it since."""
    commit(engine, *(allocated("S", version) for version in range(1, 6)))
    stored = connection.execute(text("SELECT max(cursor) FROM subscriptions")).scalar_one()
    found = subscription_lags(connection, subscribed_events())
    assert stored < fence(connection)
    assert found["out_of_stock"] == (0, 0.0, False)
    assert found["line_allocated"] is not None
    assert found["line_allocated"].events == 5


def test_subscription_of_another_release_has_an_unknown_lag(connection: Connection) -> None:
    connection.execute(text("INSERT INTO subscriptions (name, cursor) VALUES ('newer', 1)"))
    assert subscription_lags(connection, subscribed_events())["newer"] is None


def make_older(connection: Connection, sku: str, version: int, seconds: int) -> None:
    connection.execute(
        text("""
            UPDATE events SET data = CAST(jsonb_set(CAST(data AS jsonb), '{at}', to_jsonb(
                CAST(data->>'at' AS timestamptz) - make_interval(secs => :seconds))) AS json)
            WHERE sku = :sku AND version = :version
        """),
        {"seconds": seconds, "sku": sku, "version": version},
    )
