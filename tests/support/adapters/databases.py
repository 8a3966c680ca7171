"""Databases on the PostgreSQL server of the test session."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg2

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import limit_waits, migrate
from allocation.local.postgres import Postgres

TEMPLATE = "migrated"
numbers = count(1)


def make_template(server: Postgres) -> None:
    """Create a migrated database. Each test gets a copy of it, which is faster than a migration."""
    execute(server, f"CREATE DATABASE {TEMPLATE}")
    engine = create_postgres_engine(server.url_of(TEMPLATE))
    migrate(engine)
    engine.dispose()


@contextmanager
def fresh_database(server: Postgres) -> Iterator[str]:
    """Create a migrated database, yield its URL, and drop it."""
    name = f"test_{next(numbers)}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    engine = create_postgres_engine(server.url_of(name))
    with engine.begin() as connection:
        limit_waits(connection)  # CREATE DATABASE does not copy these settings from the template.
    engine.dispose()
    yield server.url_of(name)
    execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(server: Postgres, statement: str) -> list[tuple[Any, ...]]:
    """Execute a statement in autocommit on the database `postgres`, and return its rows."""
    return execute_at(server.url_of("postgres"), statement)


def execute_at(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Do the same on the database of a URL. The connection is new, so another server may own the URL meanwhile."""
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
