"""What becomes of a database error at the boundary."""

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.event_log import EventLog
from allocation.adapters.postgres.unit_of_work import unit_of_work
from allocation.service_layer.unit_of_work import LockSet, RetryableError, StoreUnavailable

S = LockSet(skus=frozenset(["S"]), new_skus=frozenset(["S"]))


def end_every_other_session(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_a_connection_lost_in_the_middle_is_a_reason_to_try_again(engine: Engine, database_url: str) -> None:
    other = create_postgres_engine(database_url)
    with pytest.raises(RetryableError), unit_of_work(engine, S) as uow:
        end_every_other_session(other)
        assert uow.products.get_or_create("S")
    other.dispose()


def test_a_reader_of_the_log_whose_connection_is_lost_when_it_gives_it_back(engine: Engine, database_url: str) -> None:
    """SQLAlchemy resets the isolation level then, and raises the driver's own error."""
    other, log = create_postgres_engine(database_url), EventLog(engine)
    with pytest.raises(RetryableError), log._connection():
        end_every_other_session(other)
    other.dispose()
    assert log.end() == 1, "the next one is a new connection"


def test_a_wait_that_was_too_long_is_a_store_that_is_away(engine: Engine) -> None:
    with engine.connect() as holder:
        holder.execute(text("INSERT INTO products (sku) VALUES ('S')"))
        with pytest.raises(StoreUnavailable, match="timeout"), translated_errors(), engine.connect() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
            connection.execute(text("INSERT INTO products (sku) VALUES ('S')"))


def test_a_server_that_is_not_there_is_a_store_that_is_away() -> None:
    nowhere = create_postgres_engine("postgresql://postgres@127.0.0.1:1/nowhere")
    with pytest.raises(StoreUnavailable, match="refused"), unit_of_work(nowhere, S):
        pass


def test_a_fault_of_our_own_is_left_as_it_is(engine: Engine) -> None:
    with pytest.raises(Exception, match="syntax error") as caught, translated_errors(), engine.connect() as connection:
        connection.execute(text("SELEC 1"))
    assert not isinstance(caught.value, RetryableError | StoreUnavailable)
