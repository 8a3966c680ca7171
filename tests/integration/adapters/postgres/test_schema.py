"""What the database guards by itself, whatever the code does."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from allocation import bootstrap
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.migrations.revision import is_current, revisions
from allocation.adapters.postgres.schema import TIMEOUTS, configuration, migrate
from allocation.domain.commands import ChangeBatchQuantity, Deallocate
from allocation.local.postgres import Postgres
from tests.support.databases import execute
from tests.support.processes import allocation

BATCH = "INSERT INTO batches (ref, sku, purchased, created_qty, allocated, version) VALUES "
LINE = "INSERT INTO order_lines (orderid, sku, qty, arrived, status, batchref, version) VALUES "


@pytest.mark.parametrize(
    ("reason", "statement"),
    [
        ("a batch over its quantity", BATCH + "('b2', 'S', 5, 5, 6, 1)"),
        ("less than nothing allocated", BATCH + "('b2', 'S', 5, 5, -1, 1)"),
        ("a batch created with nothing", BATCH + "('b2', 'S', 0, 0, 0, 1)"),
        ("a batch twice", BATCH + "('b1', 'S', 5, 5, 0, 1)"),
        ("a batch of an unknown product", BATCH + "('b2', 'X', 5, 5, 0, 1)"),
        ("a line of no units", LINE + "('o1', 'S', 0, 1, 'waiting', NULL, 1)"),
        ("a line of less than none", LINE + "('o1', 'S', -3, 1, 'waiting', NULL, 1)"),
        ("a line twice", LINE + "('o0', 'S', 1, 1, 'waiting', NULL, 1)"),
        ("allocated to nothing", LINE + "('o1', 'S', 1, 1, 'allocated', NULL, 1)"),
        ("waiting on a batch", LINE + "('o1', 'S', 1, 1, 'waiting', 'b1', 1)"),
        ("on an unknown batch", LINE + "('o1', 'S', 1, 1, 'allocated', 'b9', 1)"),
        ("taken back and on a batch", LINE + "('o1', 'S', 1, 1, 'deallocated', 'b1', 1)"),
        ("another status", LINE + "('o1', 'S', 1, 1, 'lost', NULL, 1)"),
        ("less than nothing available", "UPDATE products SET available = -1"),
        ("fewer units than lines wait", "UPDATE products SET waiting_lines = 2, waiting_units = 1"),
        ("a version twice", "INSERT INTO events (sku, version, type, last, data) VALUES ('S', 1, 't', true, '{}')"),
    ],
)
def test_the_database_refuses(reason: str, statement: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO products (sku) VALUES ('S')"))
        connection.execute(text(BATCH + "('b1', 'S', 5, 5, 0, 1)"))
        connection.execute(text(LINE + "('o0', 'S', 1, 1, 'waiting', NULL, 1)"))
        connection.execute(text("INSERT INTO events (sku, version, type, last, data) VALUES ('S', 1, 't', true, '{}')"))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text(statement))


def test_many_processes_may_migrate_at_once(postgres: Postgres, tmp_path: Path) -> None:
    # W33
    execute(postgres, "CREATE DATABASE empty")
    environment = {"DATABASE_URL": postgres.url_of("empty")}
    engine = create_postgres_engine(postgres.url_of("empty"))
    try:
        assert not is_current(engine)
        processes = [allocation("migrate", environment) for _ in range(4)]  # It needs no Redis.
        assert [process.wait(30) for process in processes] == [0, 0, 0, 0]
        assert is_current(engine)
        migrate(engine)
        engine.dispose()
        with engine.connect() as connection:  # No wait of a command is without an end.
            found = {name: connection.execute(text(f"SHOW {name}")).scalar_one() for name in TIMEOUTS}
        assert found == TIMEOUTS
    finally:
        engine.dispose()
        execute(postgres, "DROP DATABASE empty WITH (FORCE)")


def test_what_was_allocated_under_an_older_schema_keeps_its_rank_can_be_taken_back_and_is_not_announced_again(
    postgres: Postgres,
) -> None:
    execute(postgres, "CREATE DATABASE older")
    engine = create_postgres_engine(postgres.url_of("older"))
    try:
        with engine.begin() as connection:
            config = configuration()
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
        bus = bootstrap.create_message_bus(engine, bootstrap.leave_to_relay)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO products (sku, version, available) VALUES ('S', 3, 0)"))
            connection.execute(text(BATCH + "('b1', 'S', 5, 5, 5, 3)"))
            connection.execute(text(LINE + "('o1', 'S', 3, 2, 'allocated', 'b1', 2)"))
            connection.execute(text(LINE + "('o2', 'S', 2, 3, 'allocated', 'b1', 3)"))
            for version in (1, 2, 3):
                event = "INSERT INTO events (sku, version, type, last, data) VALUES ('S', :version, 't', true, '{}')"
                connection.execute(text(event), {"version": version})
        assert not is_current(engine)
        migrate(engine)
        assert is_current(engine)
        with engine.connect() as connection:
            told = connection.execute(text("SELECT cursor FROM subscriptions")).scalars().all()
            assert told == [connection.execute(text("SELECT max(position) FROM events")).scalar_one()] * 2
        bus.handle(ChangeBatchQuantity("b1", 3))
        with engine.connect() as connection:
            waiting = text("SELECT orderid FROM order_lines WHERE status = 'waiting'")
            assert connection.execute(waiting).scalars().all() == ["o2"], "the latest allocated"
        bus.handle(Deallocate("o1", "S"))
        with engine.connect() as connection:
            assert connection.execute(text("SELECT allocated FROM batches")).scalar_one() == 2
    finally:
        engine.dispose()
        execute(postgres, "DROP DATABASE older WITH (FORCE)")


def test_a_schema_that_is_newer_than_the_code_is_good_enough(engine: Engine) -> None:
    """In a rolling upgrade the old processes go on after the migration."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert is_current(engine)


def test_commands_run_at_read_committed(engine: Engine) -> None:
    # W4: the level that is tested is the one that ships
    with engine.connect() as connection:
        assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"


def test_the_files_of_the_migrations_are_named_after_their_revisions() -> None:
    scripts = ScriptDirectory.from_config(configuration())
    assert revisions() == [script.revision for script in scripts.walk_revisions()][::-1]
    assert scripts.get_heads() == revisions()[-1:]


def test_a_web_process_loads_no_library_that_it_does_not_use() -> None:
    program = (
        "import sys, allocation.entrypoints.http.app; "
        "print([name for name in ('alembic', 'tqdm') if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
