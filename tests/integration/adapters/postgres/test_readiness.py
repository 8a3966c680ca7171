"""Trouble with the database that is no lost connection: readiness reports it, and commands are unavailable."""

import pytest
from sqlalchemy import Engine, text

from allocation import bootstrap
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.readiness import reason_not_ready
from allocation.domain.commands import Allocate, CreateBatch
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import StoreUnavailable


def bus_over(engine: Engine) -> MessageBus:
    return bootstrap.create_message_bus(engine, bootstrap.leave_to_relay)


def run(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("ALTER TABLE batches RENAME COLUMN allocated TO taken", "the database is not migrated"),
        ("ALTER TABLE order_lines DROP COLUMN placed", "the database is not migrated"),
        ("ALTER TABLE events RENAME TO happenings", "the database is not migrated"),
        ("ALTER TABLE idempotency_keys RENAME COLUMN effects TO ranges", "the database is not migrated"),
    ],
)
def test_a_changed_table_makes_commands_unavailable(engine: Engine, trouble: str, reason: str) -> None:
    bus = bus_over(engine)
    bus.handle(CreateBatch("b0", "S", 1))
    run(engine, trouble)
    assert reason_not_ready(engine) == reason
    if "idempotency_keys" not in trouble:  # This command has no key.
        with pytest.raises(StoreUnavailable, match=reason):
            bus.handle(Allocate("o1", "S", 1))


def test_a_role_without_privileges_makes_commands_unavailable(engine: Engine, database_url: str) -> None:
    run(engine, "DROP ROLE IF EXISTS reader")
    run(engine, "CREATE ROLE reader LOGIN PASSWORD 'secret'")
    run(engine, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    address = database_url.rpartition("@")[2]
    restricted = create_postgres_engine(f"postgresql://reader:secret@{address}")
    try:
        assert (reason_not_ready(restricted) or "").startswith("the database refuses access")
        with pytest.raises(StoreUnavailable, match="the database refuses access"):
            bus_over(restricted).handle(CreateBatch("b1", "S", 1))
    finally:
        restricted.dispose()
        run(engine, "DROP OWNED BY reader")
        run(engine, "DROP ROLE reader")


def test_commands_work_again_after_a_read_only_phase(engine: Engine) -> None:
    """After a failover, pooled sessions stay read-only although new sessions can write."""
    bus = bus_over(engine)
    bus.handle(CreateBatch("b0", "S", 1))
    sessions = [engine.connect() for _ in range(3)]
    for session in sessions:
        session.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
        session.commit()
        session.close()
    reasons = list[str]()
    for number in range(8):
        try:
            bus.handle(CreateBatch(f"b{number + 1}", "S", 1))
        except StoreUnavailable as error:
            reasons.append(str(error))
    assert 0 < len(reasons) <= 3, "each read-only session fails once and is discarded"
    assert all("the database is read-only" in reason for reason in reasons)
    bus.handle(CreateBatch("last", "S", 1))


def test_readiness_reports_a_read_only_database(engine: Engine, database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    run(engine, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    fresh = create_postgres_engine(database_url)
    try:
        assert reason_not_ready(fresh) == "the database is read-only"
    finally:
        fresh.dispose()


def test_readiness_discards_a_session_that_became_read_only(engine: Engine) -> None:
    """Otherwise a service that gets no commands, because it is not ready, would never become ready."""
    with engine.connect() as session:
        session.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
        session.commit()
    assert reason_not_ready(engine) == "the database is read-only"
    assert reason_not_ready(engine) is None


def test_readiness_shows_no_address() -> None:
    nowhere = create_postgres_engine("postgresql://postgres@127.0.0.1:1/nowhere")
    assert reason_not_ready(nowhere) == "the database can't be reached"


def test_every_transaction_has_time_outs_without_those_of_the_role(engine: Engine, database_url: str) -> None:
    """A restored database, or another role, lacks the role's settings."""
    name = database_url.rpartition("/")[2]
    run(engine, f"ALTER ROLE CURRENT_USER IN DATABASE {name} RESET ALL")
    for direct in (False, True):
        fresh = create_postgres_engine(database_url, direct=direct)
        with fresh.connect() as connection:
            for _ in range(2):
                found = connection.execute(
                    text("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
                ).one()
                assert tuple(found) == ("5s", "30s")
                connection.rollback()
        fresh.dispose()


def test_no_time_out_stays_in_a_session_of_a_pooler(engine: Engine, database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    run(engine, f"ALTER ROLE CURRENT_USER IN DATABASE {name} RESET ALL")
    fresh = create_postgres_engine(database_url)
    with fresh.connect() as connection:
        connection.execute(text("SELECT 1"))
        connection.rollback()
        cursor = connection.connection.cursor()
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)
    fresh.dispose()


def test_the_names_of_transactions_do_not_restart_with_their_numbers(engine: Engine) -> None:
    """A dump that is restored into a new cluster gets transaction numbers that the log has already."""
    bus_over(engine).handle(CreateBatch("b1", "S", 1))
    with engine.connect() as connection:
        [name] = connection.execute(text("SELECT transaction FROM events")).scalars()
        number = connection.execute(text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")).scalar_one()
    assert name > number * 1_000_000
