"""Measures the allocation of one line for SKUs with different histories: its statements, and its buffers by EXPLAIN.

Each history has a database of its own, so that the depth of its indexes counts too.
"""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from sqlalchemy import Engine

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import migrate
from allocation.domain.commands import Allocate
from benchmarks.stack.databases import create_database, run_script, vacuum
from benchmarks.stack.statements import Statement, record_statements
from benchmarks.stack.throwaway import Stack, throwaway_stack

LARGEST_RATIO = 1.3
ROUNDS = 5


class History(NamedTuple):
    """Allocated lines, the batches that they use up, and waiting lines."""

    lines: int = 1_000
    used_up: int = 10
    waiting: int = 0


HISTORIES = [
    History(),
    History(lines=1_000_000),
    History(used_up=10_000),
    History(waiting=200_000),
    History(lines=1_000_000, used_up=10_000, waiting=200_000),
]

# The SKU has one more batch, with room for a small line. The waiting lines are too large for it.
SCRIPT = """
    INSERT INTO products (sku, version, available, waiting_lines, waiting_units)
    VALUES ('S', :lines + :waiting + :used_up + 1, 100, :waiting, 1000 * CAST(:waiting AS bigint));
    INSERT INTO batches (ref, sku, purchased, created_qty, allocated, version)
    SELECT 'b' || n, 'S', on_it, 1, on_it, n
    FROM generate_series(1, :used_up) n, LATERAL (SELECT (:lines + :used_up - n) / :used_up) _ (on_it);
    INSERT INTO batches (ref, sku, purchased, created_qty, allocated, version)
    VALUES ('open', 'S', 100, 100, 0, :used_up + 1);
    INSERT INTO order_lines (orderid, sku, qty, arrived, status, batchref, version)
    SELECT 'o' || n, 'S', 1, :used_up + 1 + n, 'allocated', 'b' || ((n - 1) % :used_up + 1), :used_up + 1 + n
    FROM generate_series(1, :lines) n;
    INSERT INTO order_lines (orderid, sku, qty, arrived, status, batchref, version)
    SELECT 'w' || n, 'S', 1000, :used_up + 1 + :lines + n, 'waiting', NULL, :used_up + 1 + :lines + n
    FROM generate_series(1, :waiting) n;
    INSERT INTO events (sku, version, type, last, data)
    SELECT 'S', n, 'Allocated', true, '{}' FROM generate_series(1, :lines + :waiting + :used_up + 1) n;
"""


def measure(stack: Stack, number: int, history: History) -> tuple[int, float]:
    """Return the number of statements, and the median of the buffers."""
    engine = create_postgres_engine(create_database(stack, f"history_{number}"), direct=True)  # It executes VACUUM.
    migrate(engine)
    engine.dispose()
    run_script(engine, SCRIPT, **history._asdict())
    vacuum(engine)
    sent = record_statements(engine, Allocate("new", "S", 3))
    # The median, because now and then a statement fills a page and begins another one.
    buffers = median(count_buffers(engine, sent) for _ in range(ROUNDS))
    engine.dispose()
    return len(sent), buffers


def count_buffers(engine: Engine, statements: Sequence[Statement]) -> int:
    """Return the number of pages that the statements touch, in memory or not. Their transaction is rolled back."""
    total = 0
    with engine.connect() as connection:
        for statement, values in statements:
            plan = connection.exec_driver_sql(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values
            ).scalar_one()
            total += plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    return total


def main() -> None:
    with throwaway_stack() as stack:
        print("| lines | used-up batches | waiting lines | statements | buffers | ratio |\n|---|---|---|---|---|---|")
        first = None
        for number, history in enumerate(HISTORIES):
            statements, buffers = measure(stack, number, history)
            first = first or buffers
            ratio = buffers / first
            cells = [*(f"{n:,}" for n in history), str(statements), f"{buffers:.0f}", f"{ratio:.2f}"]
            print(f"| {' | '.join(cells)} |", flush=True)
            assert ratio <= LARGEST_RATIO, f"The allocation touches {ratio:.2f} times the buffers of the first history"


if __name__ == "__main__":
    main()
