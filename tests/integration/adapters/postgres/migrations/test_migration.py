"""The migration beside live traffic, and processes whose database is not migrated."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from allocation import components
from allocation.adapters.postgres import schema
from allocation.adapters.postgres.checks.readiness import reason_not_ready
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.adapters.postgres.migrations.revision import revisions
from allocation.adapters.postgres.schema import MigrationFailed, migrate
from allocation.domain.commands import Allocate, CreateBatch
from allocation.local.postgres import Postgres
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import StoreUnavailable
from tests.support.adapters.databases import execute
from tests.support.adapters.waits import waiting
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE

BEFORE, NEWEST = revisions()[-2:]


@pytest.fixture
def behind(engine: Engine) -> Engine:
    """A database that is one revision behind the code."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :before"), {"before": BEFORE})
    return engine


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[Engine]:
    execute(postgres, "CREATE DATABASE never_migrated")
    engine = create_postgres_engine(postgres.url_of("never_migrated"))
    yield engine
    engine.dispose()
    execute(postgres, "DROP DATABASE never_migrated WITH (FORCE)")


def bus_over(engine: Engine) -> MessageBus:
    return components.create_message_bus(engine, components.leave_to_relay)


def revision(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def test_commands_are_unavailable_on_an_older_schema(behind: Engine) -> None:
    bus = bus_over(behind)
    with pytest.raises(StoreUnavailable, match="the database is not migrated"):
        bus.handle(CreateBatch("b1", "S", 1))
    assert reason_not_ready(behind) == "the database is not migrated"
    migrate(behind)
    bus.handle(CreateBatch("b1", "S", 1))
    assert reason_not_ready(behind) is None


def test_commands_are_unavailable_without_a_schema(empty: Engine) -> None:
    with pytest.raises(StoreUnavailable, match="the database is not migrated"):
        bus_over(empty).handle(CreateBatch("b1", "S", 1))
    with pytest.raises(StoreUnavailable, match="the database is not migrated"):
        EventLog(empty).end()
    assert reason_not_ready(empty) == "the database is not migrated"


def test_commands_work_on_a_newer_schema(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    bus_over(engine).handle(CreateBatch("b1", "S", 1))
    assert reason_not_ready(engine) is None


@pytest.mark.slow
def test_a_migration_blocks_no_command_while_it_waits(engine: Engine) -> None:
    """A waiting ALTER TABLE would make every later command wait behind it, up to the command's time-out."""
    bus = bus_over(engine)
    bus.handle(CreateBatch("b1", "S", 1_000))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :before"), {"before": BEFORE})
    migration = threading.Thread(target=migrate, args=(engine,))
    with engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM subscriptions"))
        migration.start()
        for number in range(3):
            eventually(lambda: waiting(engine, "ALTER TABLE"))
            bus.handle(Allocate(f"o{number}", "S", 1))  # Raises StoreUnavailable if it waits for its time-out.
        assert revision(engine) == BEFORE, "the migration did not wait"
    migration.join(PATIENCE)
    assert revision(engine) == NEWEST


def test_a_second_migration_waits_for_the_first(
    behind: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(schema, "PAUSE", 0.05)
    with schema.the_only_migration(behind):
        second = threading.Thread(target=migrate, args=(behind,))
        second.start()
        eventually(lambda: "another migration is running" in caplog.text)
        assert revision(behind) == BEFORE
    second.join(PATIENCE)
    assert revision(behind) == NEWEST


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE alembic_version SET version_num = '9999'",
        "UPDATE alembic_version SET version_num = ''",
        "UPDATE alembic_version SET version_num = '0001'",
        "DELETE FROM alembic_version",
    ],
)
def test_a_migration_of_an_unknown_schema_fails(engine: Engine, damage: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(damage))
    before = revision_rows(engine)
    with pytest.raises(MigrationFailed, match=r"The database has the revisions|The schema is not that of") as error:
        migrate(engine)
    assert "\n" not in str(error.value)
    assert revision_rows(engine) == before


def revision_rows(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())
