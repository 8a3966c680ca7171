"""How the adapter translates database errors."""

import pytest
from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.event_log import REBUILD_LOCK, EventLog
from allocation.adapters.postgres.migrations.revision import SchemaGate
from allocation.adapters.postgres.unit_of_work import unit_of_work
from allocation.service_layer.unit_of_work import LockSet, RetryableError, StoreUnavailable

S = LockSet(skus=frozenset(["S"]), new_skus=frozenset(["S"]))


def terminate_other_sessions(connection: Connection) -> None:
    connection.execute(
        text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    )


def test_lost_connection_raises_retryable_error(engine: Engine, database_url: str) -> None:
    other = create_postgres_engine(database_url)
    with pytest.raises(RetryableError), unit_of_work(engine, SchemaGate(engine), S) as uow:
        with other.connect() as connection:
            terminate_other_sessions(connection)
        assert uow.products.get_or_create("S")
    other.dispose()


def test_log_raises_retryable_error_when_the_pool_finds_a_loss(engine: Engine, database_url: str) -> None:
    """SQLAlchemy resets the isolation level when a connection returns to the pool.

    If that finds the connection lost, SQLAlchemy passes on the driver's own error.
    """
    other, log = create_postgres_engine(database_url), EventLog(engine)
    assert log.end() == 1
    with other.connect() as holder:
        holder.execute(text("SELECT pg_advisory_lock(:key)"), {"key": REBUILD_LOCK})
        # The log does not get the rebuild lock, so it executes nothing more before it returns its connection.
        with pytest.raises(RetryableError), log.rebuild_lock() as mine:
            assert not mine
            terminate_other_sessions(holder)
    other.dispose()
    assert log.end() == 1, "The log must open a new connection"


def test_lock_timeout_makes_the_store_unavailable(engine: Engine) -> None:
    with engine.connect() as holder:
        holder.execute(text("INSERT INTO products (sku) VALUES ('S')"))
        with pytest.raises(StoreUnavailable, match="timeout"), translated_errors(), engine.connect() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
            connection.execute(text("INSERT INTO products (sku) VALUES ('S')"))


def test_unreachable_server_makes_the_store_unavailable() -> None:
    nowhere = create_postgres_engine("postgresql://postgres@127.0.0.1:1/nowhere")
    with pytest.raises(StoreUnavailable, match="refused"), unit_of_work(nowhere, SchemaGate(nowhere), S):
        pass


def test_syntax_error_passes_through_untranslated(engine: Engine) -> None:
    with pytest.raises(Exception, match="syntax error") as caught, translated_errors(), engine.connect() as connection:
        connection.execute(text("SELEC 1"))
    assert not isinstance(caught.value, RetryableError | StoreUnavailable)
