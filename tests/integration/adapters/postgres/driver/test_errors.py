"""How the adapter translates database errors."""

from contextlib import ExitStack

import psycopg2
import pytest
from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.driver.transaction import open_transaction
from allocation.adapters.postgres.log.event_log import REBUILD_LOCK, EventLog
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
    with pytest.raises(RetryableError) as caught, unit_of_work(engine, SchemaGate(engine), S) as uow:
        with other.connect() as connection:
            terminate_other_sessions(connection)
        assert uow.products.get_or_create("S")
    assert caught.value.reason == "connection"
    other.dispose()


def test_bug_passes_through_although_its_session_is_lost(engine: Engine, database_url: str) -> None:
    """The rollback fails, too. Its error must not hide the bug: the bus would repeat the transaction."""
    other = create_postgres_engine(database_url)
    with pytest.raises(ZeroDivisionError), unit_of_work(engine, SchemaGate(engine), S) as uow:
        assert uow.products.get_or_create("S")
        with other.connect() as connection:
            terminate_other_sessions(connection)
        raise ZeroDivisionError
    other.dispose()
    with unit_of_work(engine, SchemaGate(engine), S) as uow:
        assert uow.products.get_or_create("S")


def test_wrong_use_of_the_driver_is_no_lost_connection(engine: Engine) -> None:
    with pytest.raises(psycopg2.ProgrammingError), translated_errors(), open_transaction(engine) as transaction:
        transaction.query("SET LOCAL lock_timeout = '1s'")  # It returns no rows.


def test_one_loss_replaces_all_older_sessions(engine: Engine, database_url: str) -> None:
    """Otherwise each of them would cost an attempt, and a command has eight."""
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(engine.connect())
    other = create_postgres_engine(database_url)
    with other.connect() as connection:
        terminate_other_sessions(connection)
    other.dispose()
    losses = 0
    for _ in range(20):
        try:
            with translated_errors(), open_transaction(engine) as transaction:
                transaction.query("SELECT 1")
        except RetryableError:
            losses += 1
    assert losses == 1


@pytest.mark.parametrize("direct", [True, False])
def test_isolation_does_not_depend_on_the_default(engine: Engine, database_url: str, direct: bool) -> None:
    with engine.begin() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"))
    other = create_postgres_engine(database_url, connections=1, direct=direct)
    for _ in range(3):
        with other.connect() as connection:
            assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
        with open_transaction(other) as transaction:
            assert transaction.query("SHOW transaction_isolation") == [("read committed",)]
        assert EventLog(other).end() == 1
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


def test_lost_race_has_the_name_of_its_kind(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO products (sku) VALUES ('S')"))
    update = text("UPDATE products SET version = version + 1 WHERE sku = 'S'")
    with engine.connect() as reader:
        reader.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        reader.execute(text("SELECT FROM products"))
        with engine.begin() as writer:
            writer.execute(update)
        with pytest.raises(RetryableError) as caught, translated_errors():
            reader.execute(update)
    assert caught.value.reason == "serialization"


def test_unreachable_server_makes_the_store_unavailable() -> None:
    nowhere = create_postgres_engine("postgresql://postgres@127.0.0.1:1/nowhere")
    with pytest.raises(StoreUnavailable, match="refused"), unit_of_work(nowhere, SchemaGate(nowhere), S):
        pass


def test_syntax_error_passes_through_untranslated(engine: Engine) -> None:
    with pytest.raises(Exception, match="syntax error") as caught, translated_errors(), engine.connect() as connection:
        connection.execute(text("SELEC 1"))
    assert not isinstance(caught.value, RetryableError | StoreUnavailable)


@pytest.mark.parametrize("code", ["58030", "58P01", "XX000", "XX001"])
def test_fault_of_the_server_makes_the_store_unavailable(engine: Engine, code: str) -> None:
    """No event is at fault if the server can't read its disk."""
    failing = text(f"DO $$ BEGIN RAISE 'a fault of the server' USING ERRCODE = '{code}'; END $$")
    with pytest.raises(StoreUnavailable, match="a fault of the server"), translated_errors(), engine.begin() as other:
        other.execute(failing)
