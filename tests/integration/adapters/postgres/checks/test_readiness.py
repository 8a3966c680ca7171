"""The database is reachable but unusable: readiness reports the reason, and commands are unavailable."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from allocation import components
from allocation.adapters.postgres.checks.readiness import COLUMNS, PRIVILEGES, reason_not_ready
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.domain.commands import Allocate, CreateBatch
from allocation.domain.errors import BatchConflict
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import StoreUnavailable

KEYED = CommandRequest(Allocate("o1", "S", 1), IdempotencyKey("s", "k", "f"))
NEEDING_EVERY_PRIVILEGE = [
    CommandRequest(CreateBatch("b1", "S", 1)),
    KEYED,
    CommandRequest(CreateBatch("b2", "S", 1)),
    CommandRequest(CreateBatch("b1", "NEW", 1)),  # The same transaction creates the product, and deletes it again.
    KEYED,  # The service reads the events of the first command.
]


def bus_over(engine: Engine) -> MessageBus:
    return components.create_message_bus(engine, components.leave_to_relay)


def run(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize(
    "trouble",
    [
        "ALTER TABLE batches RENAME COLUMN allocated TO taken",
        "ALTER TABLE order_lines DROP COLUMN placed",
        "ALTER TABLE events RENAME TO happenings",
        "ALTER TABLE idempotency_keys RENAME COLUMN effects TO ranges",
        "ALTER TABLE batches RENAME COLUMN used_up TO empty",
    ],
)
def test_a_changed_table_makes_commands_unavailable(engine: Engine, trouble: str) -> None:
    bus = bus_over(engine)
    bus.handle(CreateBatch("b0", "S", 1))
    run(engine, trouble)
    reason = "the database is not migrated"
    assert reason_not_ready(engine) == reason
    with pytest.raises(StoreUnavailable, match=reason):
        bus.handle(KEYED.command, KEYED.key)


@pytest.fixture
def restricted(engine: Engine, database_url: str) -> Iterator[Engine]:
    """Yield an engine whose role has every privilege that the service needs. Tests revoke some."""
    run(engine, "DROP ROLE IF EXISTS restricted")
    run(engine, "CREATE ROLE restricted LOGIN PASSWORD 'secret'")
    run(engine, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO restricted")
    run(engine, "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO restricted")
    address = database_url.rpartition("@")[2]
    restricted = create_postgres_engine(f"postgresql://restricted:secret@{address}")
    yield restricted
    restricted.dispose()
    run(engine, "DROP OWNED BY restricted")
    run(engine, "DROP ROLE restricted")


def test_a_role_with_the_needed_privileges_is_ready(restricted: Engine) -> None:
    assert reason_not_ready(restricted) is None
    outcomes = list(bus_over(restricted).handle_requests(NEEDING_EVERY_PRIVILEGE))
    assert [type(outcome) for outcome in outcomes] == [Done, Done, Done, BatchConflict, Done]


@pytest.mark.parametrize(
    "privilege",
    [f"{name} ON {table}" for table in COLUMNS for name in ("SELECT", *PRIVILEGES.get(table, ()))],
)
def test_a_missing_privilege_makes_commands_unavailable(engine: Engine, restricted: Engine, privilege: str) -> None:
    """Some command needs the privilege, and readiness does not have to wait for that command."""
    bus = bus_over(restricted)
    run(engine, f"REVOKE {privilege} FROM restricted")
    reason = reason_not_ready(restricted)
    assert reason is not None
    assert reason.startswith("the database refuses access")
    outcomes = list(bus.handle_requests(NEEDING_EVERY_PRIVILEGE))
    assert any("the database refuses access" in str(outcome) for outcome in outcomes)


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
    assert len(reasons) == 1, "after one failure, the engine opens new sessions"
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


def test_sessions_do_not_keep_a_bad_setting_of_their_role(engine: Engine, database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    run(engine, f"ALTER DATABASE {name} SET search_path = nowhere")
    fresh = create_postgres_engine(database_url)
    try:
        assert reason_not_ready(fresh) == "the database is not migrated"
        run(engine, f"ALTER DATABASE {name} RESET search_path")
        assert reason_not_ready(fresh) is None
    finally:
        fresh.dispose()


def test_identifiers_do_not_depend_on_the_encoding_of_a_role(engine: Engine, database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    run(engine, f"ALTER DATABASE {name} SET client_encoding = 'SQL_ASCII'")
    fresh = create_postgres_engine(database_url)
    try:
        bus_over(fresh).handle(CreateBatch("größe", "S", 1))
    finally:
        fresh.dispose()


def test_readiness_shows_no_address() -> None:
    nowhere = create_postgres_engine("postgresql://postgres@127.0.0.1:1/nowhere")
    assert reason_not_ready(nowhere) == "the database can't be reached"


def test_a_transaction_needs_no_time_outs_of_its_role(engine: Engine, database_url: str) -> None:
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


def test_names_of_transactions_do_not_restart_with_numbers(engine: Engine) -> None:
    """A dump that is restored into a new cluster gets transaction numbers that the log has already."""
    bus_over(engine).handle(CreateBatch("b1", "S", 1))
    with engine.connect() as connection:
        [name] = connection.execute(text("SELECT transaction FROM events")).scalars()
        number = connection.execute(text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")).scalar_one()
    assert name > number * 1_000_000
