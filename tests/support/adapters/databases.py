"""Databases on the PostgreSQL server of the test session."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import psycopg2

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import limit_waits, migrate
from allocation.local.postgres import Postgres

TEMPLATE = "migrated"
SERVICE_ROLE = "allocation"
"""The role of the service's processes in the end-to-end tests. It owns no table."""
numbers = count(1)


def make_template(server: Postgres) -> None:
    """Create a migrated database. Each test gets a copy of it, which is faster than a migration."""
    execute(server, f"CREATE DATABASE {TEMPLATE}")
    execute(server, f"CREATE ROLE {SERVICE_ROLE} LOGIN PASSWORD '{SERVICE_ROLE}'")
    execute(server, f"GRANT pg_read_all_stats TO {SERVICE_ROLE}")  # The relay shows the statements of other roles.
    engine = create_postgres_engine(server.url_of(TEMPLATE))
    migrate(engine, SERVICE_ROLE)
    engine.dispose()


@contextmanager
def fresh_database(server: Postgres) -> Iterator[str]:
    """Create a migrated database, yield its URL, and drop it."""
    name = f"test_{next(numbers)}"
    # FILE_COPY needs half the time of the default strategy, which writes each page to the WAL.
    execute(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    engine = create_postgres_engine(server.url_of(name))
    with engine.begin() as connection:
        limit_waits(connection)  # CREATE DATABASE does not copy these settings from the template.
    engine.dispose()
    yield server.url_of(name)
    execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def least_privilege(database_url: str) -> dict[str, str]:
    """Return the variables with which the service uses SERVICE_ROLE on this database, and only migrations its owner."""
    netloc = urlsplit(database_url).netloc.rpartition("@")[2]
    service_url = urlsplit(database_url)._replace(netloc=f"{SERVICE_ROLE}:{SERVICE_ROLE}@{netloc}").geturl()
    return {"DATABASE_URL": service_url, "DATABASE_MIGRATION_URL": database_url}


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
