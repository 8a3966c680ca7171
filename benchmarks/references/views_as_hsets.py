"""The references of a rebuild: queries whose rows are the Redis commands that write the views in format 1.

So they write neither lists nor the history of orders.

1. One HSET for each hash, stored in a table beforehand.
2. One HSET for each register, stored in a table beforehand.
3. The Redis commands of each event, which the query builds from the log.
"""

from collections.abc import Iterator
from typing import cast

import psycopg2
from psycopg2.extras import execute_values

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.event_handlers import PROJECTION
from benchmarks.references.log_to_hsets import GENERATION, HSETS_OF_LOG
from benchmarks.references.redis_pipe import run_pipe, target_url
from benchmarks.stack.throwaway import Stack
from readmodel.projector.digest import digest
from readmodel.projector.rebuild import rebuild
from readmodel.store.client import redis_client
from readmodel.store.formats import FORMAT_1
from readmodel.store.store import Store

LONGEST_LINE = 60_000
"""Bytes. Redis accepts no longer line."""

TABLE = "CREATE TABLE benchmark_hsets (number bigint GENERATED ALWAYS AS IDENTITY, kind text, hset text)"
INSERT = "INSERT INTO benchmark_hsets (kind, hset) VALUES %s"
SELECT = "SELECT hset FROM benchmark_hsets WHERE kind = '{kind}' ORDER BY number"
QUERIES = {
    "`COPY` of stored HSETs, one for each hash": SELECT.format(kind="hash"),
    "`COPY` of stored HSETs, one for each register": SELECT.format(kind="register"),
    "`COPY` that builds HSETs from the log": HSETS_OF_LOG,
}


def prepare(stack: Stack) -> None:
    """Rebuild the views and store them as HSETs. Raises AssertionError if a query would write other views."""
    store = Store(redis_client(stack.redis_url))
    rebuild(store, EventLog(stack.engine), PROJECTION, target=FORMAT_1)
    live = store.generations().live or ""
    store_hsets(stack, store, live)
    expected = digest(store.redis, live)
    for name, query in QUERIES.items():
        run_pipe(stack, query)
        found = digest(redis_client(target_url(stack)), GENERATION)
        assert found == expected, f"{name} writes other views than the rebuild"


def store_hsets(stack: Stack, store: Store, live: str) -> None:
    with psycopg2.connect(stack.database_url) as connection, connection.cursor() as cursor:
        cursor.execute(TABLE)
        for kind, longest in (("hash", LONGEST_LINE), ("register", 0)):
            execute_values(cursor, INSERT, ((kind, hset) for hset in hsets(store, live, longest)))
    connection.close()


def hsets(store: Store, live: str, longest: int) -> Iterator[str]:
    """Yield HSETs that write the live generation, each with at most `longest` bytes or with one field."""
    for key in map(str, store.redis.scan_iter(f"{live}:*", count=1_000, _type="hash")):
        start = f"HSET {quoted(GENERATION + key.removeprefix(live))}"
        stored = cast("dict[str, str]", store.redis.hgetall(key))
        line = start
        for field, value in stored.items():
            words = f" {quoted(field)} {quoted(value)}"
            if line != start and len(line.encode()) + len(words.encode()) > longest:
                yield line
                line = start
            line += words
        yield line


def quoted(value: str) -> str:
    return "'" + value.replace("'", "\\'") + "'"
