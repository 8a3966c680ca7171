"""The situations in which an operator needs the commands of docs/operate.md, by heading.

Each one prepares its trouble, yields the walk through the section's blocks, and then judges the result.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial

import psycopg2
from psycopg2 import extensions
from redis import Redis

from readmodel.store.names import PLAIN
from readmodel.views.orders import order_key
from tests.support.adapters.databases import execute_at
from tests.support.documents.shell import Shell
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.guide.redis_stores import full_redis, snapshot
from tests.support.guide.restores import backed_up_database, damaged_database, new_server
from tests.support.guide.stage import Stage, Walk
from tests.support.processes import run_to_end, running, suspended

Situation = Callable[[Stage], AbstractContextManager[Walk]]

HOLD_THE_FENCE = """
    SELECT pg_advisory_xact_lock_shared((10769::bigint << 48) | last_value) FROM events_position_seq
"""
LOCK_PRODUCTS = "LOCK TABLE products IN ROW EXCLUSIVE MODE; SELECT FROM products FOR UPDATE"


@contextmanager
def no_trouble(stage: Stage) -> Iterator[Walk]:
    """Everything works."""
    yield Walk(Shell(stage.folder, {**stage.shared, "REDIS_URL": stage.shared_redis_url}))


@contextmanager
def no_process(stage: Stage, *, code: int) -> Iterator[Walk]:
    """No process runs. The first block notices that."""
    yield Walk(Shell(stage.folder, stage.environment), codes=(code,))


@contextmanager
def hanging_relay(stage: Stage) -> Iterator[Walk]:
    """The relay is suspended, and its latest sign of life is old."""
    with running("relay", stage.environment) as relay, Redis.from_url(stage.redis_url) as redis:
        eventually(lambda: run_to_end("check relay", stage.environment)[0] == 0)
        with suspended(relay):
            [name] = redis.zrange(PLAIN.alive("relay"), 0, -1)
            redis.zadd(PLAIN.alive("relay"), {name: 0})
            walk = Walk(Shell(stage.folder, stage.environment), codes=(1,))
            yield walk
            assert "the relay has shown no sign of life" in walk.shell.outputs[0]


@contextmanager
def drift(stage: Stage) -> Iterator[Walk]:
    """Another program has written a key of the views."""
    with (
        running("relay", stage.environment | {"ALLOCATION_VERIFY_RATE": "0"}),
        Redis.from_url(stage.redis_url) as redis,
    ):
        eventually(lambda: run_to_end("verify", stage.environment)[0] == 0)
        live = str(redis.get(PLAIN.generations), "utf-8").split()[0]
        ghost = f"{live}:{order_key('never')}"
        redis.hset(ghost, "S", "1 {}")
        walk = Walk(Shell(stage.folder, {**stage.environment, "REDIS_URL": stage.redis_url}))
        yield walk
        assert not redis.exists(ghost)
        assert "Corrected differences: 1" in walk.shell.outputs[1]


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
    walk = Walk(Shell(stage.folder, {**stage.environment, "pid": pid}))
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
    yield Walk(Shell(stage.folder, variables), codes=(1, 2))


SITUATIONS: Mapping[str, Situation] = {
    "The first minute": no_trouble,
    "Processes": no_trouble,
    "Containers": no_trouble,
    "Privileges": new_server,
    "Memory of Redis": no_trouble,
    "Disk of PostgreSQL": no_trouble,
    "The service is upgraded": no_trouble,
    "Back up PostgreSQL": backed_up_database,
    "You restore PostgreSQL": damaged_database,
    "Back up and restore Redis": snapshot,
    "The relay does not run": partial(no_process, code=1),
    "The relay hangs": hanging_relay,
    "The views lag": partial(no_process, code=0),
    "A subscription lags or fails": no_trouble,
    "Drift": drift,
    "A transaction holds the fence": held_fence,
    "A product is locked": locked_product,
    "PostgreSQL can't be reached": unreachable_database,
    "The disk of PostgreSQL is full": no_trouble,
    "Redis can't be reached": no_trouble,
    "Redis is full or evicts keys": full_redis,
    "No consumer runs": partial(no_process, code=1),
    "Commands fail": no_trouble,
    "Commands are refused because the service is busy": no_trouble,
    "Commands are slow": no_trouble,
    "The mail server is stuck": no_trouble,
}
