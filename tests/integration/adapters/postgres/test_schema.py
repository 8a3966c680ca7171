"""The constraints of the database, its migrations and its time-outs."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from allocation import components
from allocation.adapters.postgres.driver.engine import TIMEOUTS, create_postgres_engine
from allocation.adapters.postgres.migrations.revision import SchemaGate, revisions
from allocation.adapters.postgres.schema import configuration, migrate
from allocation.domain.commands import ChangeBatchQuantity, Deallocate
from allocation.local.postgres import Postgres
from allocation.service_layer.unit_of_work import StoreUnavailable
from tests.support.adapters.databases import execute
from tests.support.patience import PATIENCE
from tests.support.processes import allocation

BATCH = "INSERT INTO batches (ref, sku, purchased, created_qty, allocated, version) VALUES "
LINE = "INSERT INTO order_lines (orderid, sku, qty, arrived, status, batchref, version) VALUES "
EVENT = "INSERT INTO events (sku, version, type, last, data) VALUES "
LETTER = (
    "INSERT INTO dead_letters (subscription, subject, position, version, type, data, message, state, error) VALUES "
)


def is_current(engine: Engine) -> bool:
    try:
        SchemaGate(engine).check()
    except StoreUnavailable:
        return False
    return True


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(BATCH + "('b2', 'S', 5, 5, 6, 1)", id="batch-allocates-more-than-it-has"),
        pytest.param(BATCH + "('b2', 'S', 5, 5, -1, 1)", id="batch-allocates-less-than-zero"),
        pytest.param(BATCH + "('b2', 'S', 0, 0, 0, 1)", id="batch-is-created-empty"),
        pytest.param(BATCH + "('b1', 'S', 5, 5, 0, 1)", id="batch-exists"),
        pytest.param(BATCH + "('b2', 'X', 5, 5, 0, 1)", id="batch-of-an-unknown-product"),
        pytest.param(LINE + "('o1', 'S', 0, 1, 'waiting', NULL, 1)", id="line-of-zero-units"),
        pytest.param(LINE + "('o1', 'S', -3, 1, 'waiting', NULL, 1)", id="line-of-less-than-zero-units"),
        pytest.param(LINE + "('o0', 'S', 1, 1, 'waiting', NULL, 1)", id="line-exists"),
        pytest.param(LINE + "('o1', 'S', 1, 1, 'allocated', NULL, 1)", id="allocated-line-without-a-batch"),
        pytest.param(LINE + "('o1', 'S', 1, 1, 'waiting', 'b1', 1)", id="waiting-line-with-a-batch"),
        pytest.param(LINE + "('o1', 'S', 1, 1, 'allocated', 'b9', 1)", id="line-on-an-unknown-batch"),
        pytest.param(LINE + "('o1', 'S', 1, 1, 'deallocated', 'b1', 1)", id="deallocated-line-with-a-batch"),
        pytest.param(LINE + "('o1', 'S', 1, 1, 'lost', NULL, 1)", id="unknown-status"),
        pytest.param("UPDATE products SET available = -1", id="product-with-less-than-zero-available"),
        pytest.param("UPDATE products SET waiting_lines = 2, waiting_units = 1", id="fewer-waiting-units-than-lines"),
        pytest.param(EVENT + "('S', 1, 't', true, '{}')", id="version-exists"),
        pytest.param(LETTER + "('s', 'S', 7, 1, 't', '{}', NULL, 'waiting', NULL)", id="event-is-parked"),
        pytest.param(LETTER + "('s', 'S', 8, 1, 't', '{}', NULL, 'dead', NULL)", id="dead-letter-without-an-error"),
        pytest.param(LETTER + "('s', 'S', 8, 1, 't', '{}', 'm', 'waiting', NULL)", id="parked-event-with-a-message"),
        pytest.param(LETTER + "('s', 'S', NULL, 1, NULL, NULL, 'm', 'dead', 'e')", id="parked-message-with-a-version"),
        pytest.param(LETTER + "('s', 'S', NULL, NULL, NULL, NULL, NULL, 'dead', 'e')", id="letter-without-content"),
        pytest.param(LETTER + "('s', 'S', 8, 1, 't', '{}', NULL, 'lost', 'e')", id="unknown-state-of-a-letter"),
    ],
)
def test_constraint_rejects_an_invalid_row(statement: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO products (sku) VALUES ('S')"))
        connection.execute(text(BATCH + "('b1', 'S', 5, 5, 0, 1)"))
        connection.execute(text(LINE + "('o0', 'S', 1, 1, 'waiting', NULL, 1)"))
        connection.execute(text(EVENT + "('S', 1, 't', true, '{}')"))
        connection.execute(text(LETTER + "('s', 'S', 7, 1, 't', '{}', NULL, 'dead', 'e')"))
        connection.execute(text(LETTER + "('s', 'S', NULL, NULL, NULL, NULL, 'm', 'dead', 'e')"))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.slow
def test_several_processes_migrate_an_empty_database(postgres: Postgres, tmp_path: Path) -> None:
    """The service creates its own schema, so an installation needs no other tool."""
    execute(postgres, "CREATE DATABASE empty")
    environment = {"DATABASE_URL": postgres.url_of("empty")}
    engine = create_postgres_engine(postgres.url_of("empty"))
    try:
        assert not is_current(engine)
        processes = [allocation("migrate", environment) for _ in range(4)]  # They get no REDIS_URL and need none.
        assert [process.wait(PATIENCE) for process in processes] == [0, 0, 0, 0]
        assert is_current(engine)
        migrate(engine)
        with closing(psycopg2.connect(postgres.url_of("empty"))) as other_program, other_program.cursor() as cursor:
            cursor.execute("SELECT name, setting || unit FROM pg_settings WHERE source = 'database user'")
            assert dict(cursor.fetchall()) == {name: value.replace("s", "000ms") for name, value in TIMEOUTS.items()}
    finally:
        engine.dispose()
        execute(postgres, "DROP DATABASE empty WITH (FORCE)")


def test_migration_keeps_the_lines_of_an_older_schema(postgres: Postgres) -> None:
    """The lines keep the order in which they were allocated, and subscriptions skip the events from before."""
    execute(postgres, "CREATE DATABASE older")
    engine = create_postgres_engine(postgres.url_of("older"))
    try:
        with engine.begin() as connection:
            config = configuration()
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
        bus = components.create_message_bus(engine, components.leave_to_relay)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO products (sku, version, available) VALUES ('S', 3, 0)"))
            connection.execute(text(BATCH + "('b1', 'S', 5, 5, 5, 3)"))
            connection.execute(text(LINE + "('o1', 'S', 3, 2, 'allocated', 'b1', 2)"))
            connection.execute(text(LINE + "('o2', 'S', 2, 3, 'allocated', 'b1', 3)"))
            for version in (1, 2, 3):
                connection.execute(text(EVENT + "('S', :version, 't', true, '{}')"), {"version": version})
        assert not is_current(engine)
        migrate(engine)
        assert is_current(engine)
        with engine.connect() as connection:
            cursors = connection.execute(text("SELECT cursor FROM subscriptions")).scalars().all()
            assert cursors == [connection.execute(text("SELECT max(position) FROM events")).scalar_one()] * 2
        bus.handle(ChangeBatchQuantity("b1", 3))
        with engine.connect() as connection:
            waiting = text("SELECT orderid FROM order_lines WHERE status = 'waiting'")
            assert connection.execute(waiting).scalars().all() == ["o2"], "The batch must lose its latest line"
        bus.handle(Deallocate("o1", "S"))
        with engine.connect() as connection:
            assert connection.execute(text("SELECT allocated FROM batches")).scalar_one() == 2
    finally:
        engine.dispose()
        execute(postgres, "DROP DATABASE older WITH (FORCE)")


def test_commands_run_at_read_committed(engine: Engine) -> None:
    """Tests and production create their engines alike, so the tests run at the isolation level of production."""
    with engine.connect() as connection:
        assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"


def test_migration_files_are_named_after_their_revisions() -> None:
    scripts = ScriptDirectory.from_config(configuration())
    assert revisions() == [script.revision for script in scripts.walk_revisions()][::-1]
    assert scripts.get_heads() == revisions()[-1:]


def test_web_process_loads_no_library_that_it_does_not_use() -> None:
    program = (
        "import sys, allocation.entrypoints.http.app; "
        "print([name for name in ('alembic', 'tqdm') if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
