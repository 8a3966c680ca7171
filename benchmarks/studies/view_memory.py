"""Measures what the views of the real orders cost in Redis, as MEMORY USAGE reports it: bytes per order line.

It needs the data set of the tests.
"""

import subprocess
import sys
from collections import Counter

from redis import Redis
from sqlalchemy import text

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.event_handlers import PROJECTION
from benchmarks.stack.throwaway import CLI, Stack, throwaway_stack
from readmodel.projector.rebuild import rebuild
from readmodel.store import keys
from readmodel.store.client import redis_client
from readmodel.store.formats import DEFAULT, FORMAT_1, Format
from readmodel.store.lists import is_list
from readmodel.store.store import Store
from tests.support.paths import REAL_ORDERS

FORMATS = {"1": FORMAT_1, "2": Format(2), "2, with history": DEFAULT}
AT_ONCE = 1_000


def measure(stack: Stack, target: Format) -> Counter[str]:
    """Return the bytes of each kind of key."""
    redis = redis_client(stack.redis_url)
    redis.flushall()
    store = Store(redis)
    rebuild(store, EventLog(stack.engine), PROJECTION, target=target)
    return bytes_by_kind(redis, store.generations().live or "")


def bytes_by_kind(redis: Redis, live: str) -> Counter[str]:
    found: Counter[str] = Counter()
    names = [str(name) for name in redis.scan_iter(f"{live}:*", count=AT_ONCE)]
    for start in range(0, len(names), AT_ONCE):
        part, pipeline = names[start : start + AT_ONCE], redis.pipeline(transaction=False)
        for name in part:
            pipeline.memory_usage(name, samples=0)
        for name, size in zip(part, pipeline.execute(), strict=True):
            key = name.removeprefix(f"{live}:")
            kind = key.split(":")[2 if is_list(key) else 1] if key not in keys.ORGANISING_KEYS else "organisation"
            found[kind] += size
    return found


def load(stack: Stack) -> int:
    """Load the real orders. Return the number of order lines."""
    data = [f"{REAL_ORDERS}/{name}.csv.gz" for name in ("batches", "orders")]
    process = stack.start(CLI, "load", "--batches", data[0], "--orders", data[1])
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, process.args)
    with stack.engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM order_lines")).scalar_one())


def main() -> None:
    if not REAL_ORDERS.exists():
        sys.exit(f"The data set is missing: {REAL_ORDERS}")
    with throwaway_stack() as stack:
        lines = load(stack)
        print(f"{lines:,} order lines\n\n| format | hashes of orders | all views | by kind |\n|---|---|---|---|")
        for name, target in FORMATS.items():
            by_kind = measure(stack, target)
            kinds = ", ".join(f"{kind} {size / lines:.1f}" for kind, size in by_kind.most_common())
            total = sum(by_kind.values())
            cells = [name, *(f"{size / lines:.1f}" for size in (by_kind["order"], total)), kinds]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
