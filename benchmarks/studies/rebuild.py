"""The rebuild of the views, beside `COPY … | redis-cli --pipe` of the same: in turns, on the same servers.

1. The commands that write what the rebuild leaves were stored in a table beforehand, one HSET for each hash.
2. The same, one HSET for each register.
3. From the log: one COPY makes each event, in order, into the commands that write its registers.

    python -m benchmarks.rebuild [folder with batches.csv.gz and orders.csv.gz] [rounds]
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple, cast

import psycopg2
from psycopg2.extras import execute_values

from allocation.adapters.postgres.event_log import EventLog
from allocation.event_handlers import PROJECTION
from benchmarks import log_as_commands
from benchmarks.pipe import BESIDE, piped, sender
from benchmarks.stack import Stack, throw_away
from readmodel.projector.digest import digest
from readmodel.projector.rebuild import rebuild
from readmodel.store.client import redis_client
from readmodel.store.store import Store

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "online-retail"
ROUNDS = 5
INLINE = 60_000
"""Redis takes no longer line."""

STORED = "SELECT command FROM benchmark_commands WHERE kind = '{kind}' ORDER BY number"
STORE = "INSERT INTO benchmark_commands (kind, command) VALUES %s"
PIPES = {
    "`COPY` of stored HSETs, one for each hash": STORED.format(kind="hash"),
    "`COPY` of stored HSETs, one for each register": STORED.format(kind="register"),
    "`COPY` that makes them of the log": log_as_commands.COMMANDS,
}


class Round(NamedTuple):
    """Seconds that each took."""

    rebuild: float
    pipes: list[float]


def rounds(stack: Stack, count: int) -> Iterator[Round]:
    """The rebuild and each of the pipes, in turns. The log must have been filled, and `prepare` been called."""
    store, log = Store(redis_client(stack.environment["REDIS_URL"])), EventLog(stack.engine)
    for _ in range(count):
        started = time.perf_counter()
        rebuild(store, log, PROJECTION)
        took = time.perf_counter() - started
        yield Round(took, [piped(stack, query) for query in PIPES.values()])


def prepare(stack: Stack) -> None:
    """Rebuild once, store what that left as commands, and make sure that both pipes leave the same."""
    store, log = Store(redis_client(stack.environment["REDIS_URL"])), EventLog(stack.engine)
    rebuild(store, log, PROJECTION)
    live = store.generations().live or ""
    with psycopg2.connect(stack.environment["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE benchmark_commands (number bigint GENERATED ALWAYS AS IDENTITY, kind text, command text)"
        )
        for kind, longest in (("hash", INLINE), ("register", 0)):
            execute_values(cursor, STORE, ((kind, command) for command in commands(store, live, longest)))
    connection.close()
    right = digest(store.redis, live)
    for name, query in PIPES.items():
        piped(stack, query)
        found = digest(
            redis_client(stack.environment["REDIS_URL"].replace("/0", f"/{BESIDE}")), log_as_commands.GENERATION
        )
        assert found == right, f"{name} leaves other views than the rebuild"


def commands(store: Store, live: str, longest: int) -> Iterator[str]:
    """What makes the generation again, as many fields to a command as fit into that length, and one at least."""
    for key in map(str, store.redis.scan_iter(f"{live}:*", count=1_000, _type="hash")):
        start = f"HSET {quoted(log_as_commands.GENERATION + key.removeprefix(live))}"
        stored = cast("dict[str, str]", store.redis.hgetall(key))
        fields = (f" {quoted(field)} {quoted(value)}" for field, value in stored.items())
        line = start
        for field in fields:
            if line != start and len(line.encode()) + len(field.encode()) > longest:
                yield line
                line = start
            line += field
        yield line


def quoted(value: str) -> str:
    return "'" + value.replace("'", "\\'") + "'"


def table(measured: list[Round]) -> Iterator[str]:
    yield "| | min | median | max |\n|---|---|---|---|"
    columns = {"rebuild (s)": [one.rebuild for one in measured]}
    for number, pipe in enumerate(PIPES):
        columns[f"{pipe} (s)"] = [one.pipes[number] for one in measured]
        columns[f"speed of the rebuild / {pipe}"] = [one.pipes[number] / one.rebuild for one in measured]
    for name, values in columns.items():
        yield f"| {name} | {min(values):.2f} | {median(values):.2f} | {max(values):.2f} |"


def load(stack: Stack, folder: Path) -> None:
    files = ["--batches", str(folder / "batches.csv.gz"), "--orders", str(folder / "orders.csv.gz")]
    program = [sys.executable, "-m", "allocation.entrypoints.cli", "load", *files]
    subprocess.run(program, env=os.environ | stack.environment, check=True, stderr=subprocess.DEVNULL)


def main(folder: Path, count: int) -> None:
    with throw_away() as stack:
        load(stack, folder)
        prepare(stack)
        print(f"The pipes are sent by {sender()}.\n")
        print("\n".join(table(list(islice(rounds(stack, count), count)))))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA, int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS)
