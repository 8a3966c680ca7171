"""Situations of PostgreSQL: a session holds back others, or no session can be opened."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

import psycopg2
from psycopg2 import extensions

from tests.support.adapters.databases import execute_at
from tests.support.documents.shell import Shell
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.guide.stage import Stage, Walk

HOLD_THE_FENCE = """
    SELECT pg_advisory_xact_lock_shared((10769::bigint << 48) | last_value) FROM events_position_seq
"""
LOCK_PRODUCTS = "LOCK TABLE products IN ROW EXCLUSIVE MODE; SELECT FROM products FOR UPDATE"


@contextmanager
def held_fence(stage: Stage) -> Iterator[Walk]:
    """A transaction of the service holds the fence. The blocks show its session, and end it."""
    with idle_in_transaction(stage, HOLD_THE_FENCE) as session:
        yield from ends(session, stage)


@contextmanager
def locked_product(stage: Stage) -> Iterator[Walk]:
    """A transaction of the service holds a product, and another session waits for it."""
    url = stage.environment["DATABASE_URL"]
    execute_at(stage.database_url, "INSERT INTO products (sku) VALUES ('S')")
    with (
        idle_in_transaction(stage, LOCK_PRODUCTS) as session,
        closing(psycopg2.connect(url)) as waiting,
        in_threads(lambda _: waiting.cursor().execute("SET lock_timeout = 0; SELECT FROM products FOR UPDATE")),
    ):
        eventually(partial(is_blocked, stage, waiting.info.backend_pid))
        yield from ends(session, stage)


def is_blocked(stage: Stage, pid: int) -> bool:
    return execute_at(stage.database_url, f"SELECT cardinality(pg_blocking_pids({pid})) > 0") == [(True,)]


@contextmanager
def idle_in_transaction(stage: Stage, statement: str) -> Iterator[extensions.connection]:
    with closing(psycopg2.connect(stage.environment["DATABASE_URL"])) as session:
        session.cursor().execute("SET idle_in_transaction_session_timeout = 0")
        session.cursor().execute(statement)
        yield session


def ends(session: extensions.connection, stage: Stage) -> Iterator[Walk]:
    """Yield the walk that finds the session and ends it. Judge both."""
    pid = str(session.info.backend_pid)
    walk = Walk(Shell(stage.folder, {**stage.environment, "pid": pid}), trouble=True)
    yield walk
    assert pid in walk.shell.outputs[0]
    assert session.closed or is_lost(session)


def is_lost(session: extensions.connection) -> bool:
    try:
        session.cursor().execute("SELECT")
    except psycopg2.OperationalError:
        return True
    return False


@contextmanager
def unreachable_database(stage: Stage) -> Iterator[Walk]:
    variables = {**stage.environment, "DATABASE_URL": "postgresql://allocation@127.0.0.1:1/allocation"}
    yield Walk(Shell(stage.folder, variables), codes=(1, 2), trouble=True)
