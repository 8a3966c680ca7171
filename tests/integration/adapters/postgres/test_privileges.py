"""The processes of the service use a role that owns nothing and may do only what they need."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from allocation.adapters.postgres.checks.readiness import reason_not_ready
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.local.postgres import Postgres
from tests.support.adapters.databases import SERVICE_ROLE, execute, least_privilege
from tests.support.processes import run_to_end

FORBIDDEN = [
    "DELETE FROM events",
    "UPDATE events SET sku = 'X'",
    "TRUNCATE events",
    "DELETE FROM log",
    "INSERT INTO log VALUES (gen_random_uuid())",
    "DELETE FROM subscriptions",
    "DELETE FROM order_lines",
    "DROP TABLE events",
    "ALTER TABLE events ADD COLUMN more text",
    "CREATE TABLE mine (n int)",
    "UPDATE alembic_version SET version_num = '0001'",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_service_can_not_change_its_history_or_schema(statement: str, database_url: str) -> None:
    engine = create_postgres_engine(least_privilege(database_url)["DATABASE_URL"])
    with engine.connect() as connection, pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        connection.execute(text(statement))
    engine.dispose()


def test_the_role_of_the_service_can_execute_commands(database_url: str) -> None:
    engine = create_postgres_engine(least_privilege(database_url)["DATABASE_URL"])
    assert reason_not_ready(engine) is None
    engine.dispose()


@pytest.mark.slow
def test_migrate_gives_the_role_its_privileges(postgres: Postgres) -> None:
    execute(postgres, "CREATE DATABASE of_another_owner")
    environment = least_privilege(postgres.url_of("of_another_owner"))
    assert run_to_end("check commands", environment)[0] == 1
    for _ in range(2):
        assert run_to_end("migrate", environment) == (0, "")
        assert run_to_end("check commands", environment) == (0, "Commands: ready\n")
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    engine = create_postgres_engine(environment["DATABASE_MIGRATION_URL"])
    with engine.connect() as connection:
        assert connection.execute(text(owners)).scalars().all() == ["postgres"]
    engine.dispose()
    execute(postgres, "DROP DATABASE of_another_owner WITH (FORCE)")


def test_migrate_names_a_role_that_does_not_exist(database_url: str) -> None:
    environment = least_privilege(database_url)
    environment["DATABASE_URL"] = environment["DATABASE_URL"].replace(f"//{SERVICE_ROLE}:", "//nobody-such:")
    code, output = run_to_end("migrate", environment)
    assert code == 3
    assert output == "Error: The role nobody-such of DATABASE_URL does not exist. Create it first\n"


def test_a_migration_leaves_the_privileges_of_its_own_role(engine: Engine, database_url: str) -> None:
    assert run_to_end("migrate", {"DATABASE_URL": database_url}) == (0, "")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT has_table_privilege('events', 'DELETE')")).scalar_one()
