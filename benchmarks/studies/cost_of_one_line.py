"""What the allocation of one line reads, by what its SKU has been through: statements, and buffers by EXPLAIN.

Each history has a database of its own, so that the depth of its indexes counts too.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any, NamedTuple

from sqlalchemy import Engine, text
from sqlalchemy.event import listen

from allocation.adapters.postgres import event_log
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import migrate
from allocation.adapters.postgres.unit_of_work import unit_of_work
from allocation.domain.commands import Allocate
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.messagebus import attempt
from allocation.service_layer.outcomes import Done
from benchmarks.stack import Stack, throw_away

ALLOWED = 1.3
ROUNDS = 5


class History(NamedTuple):
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

# The lines have used up their batches, one batch is left, and the waiting lines are too large for it.
PAST = """
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


def live_through(engine: Engine, history: History) -> None:
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in filter(str.strip, PAST.split(";")):
            values = {name: value for name, value in history._asdict().items() if f":{name}" in statement}
            connection.execute(text(statement), values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def statements_of(engine: Engine, command: Allocate) -> list[tuple[str, Any]]:
    """What the service sends for the command, which is rolled back."""
    sent: list[tuple[str, Any]] = []
    listen(engine, "before_cursor_execute", lambda *arguments: sent.append((arguments[2], arguments[3])))
    with unit_of_work(engine, CommandRequest(command).locks) as uow:
        assert attempt(command, uow) == Done()
        uow.products.save()
        event_log.append(uow._connection, uow.changes.events, datetime.now(UTC))
    return list(sent)


def buffers(engine: Engine, statements: Sequence[tuple[str, Any]]) -> int:
    """Pages touched by the statements in one transaction, found in memory or not; it is rolled back too."""
    total = 0
    with engine.connect() as connection:
        for statement, values in statements:
            plan = connection.exec_driver_sql(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values
            ).scalar_one()
            total += plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    return total


def measure(stack: Stack, number: int, history: History) -> tuple[int, float]:
    name = f"history_{number}"
    with stack.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = stack.environment["DATABASE_URL"]
    engine = create_postgres_engine(f"{url.rpartition('/')[0]}/{name}")
    migrate(engine)
    engine.dispose()
    live_through(engine, history)
    sent = statements_of(engine, Allocate("new", "S", 3))
    counted = median(buffers(engine, sent) for _ in range(ROUNDS))  # Now and then a page is full, and another is begun.
    engine.dispose()
    return len(sent), counted


def main() -> None:
    with throw_away() as stack:
        print("| lines | used-up batches | waiting lines | statements | buffers | ratio |\n|---|---|---|---|---|---|")
        first = None
        for number, history in enumerate(HISTORIES):
            statements, counted = measure(stack, number, history)
            first = first or counted
            ratio = counted / first
            print(
                f"| {' | '.join(f'{n:,}' for n in history)} | {statements} | {counted:.0f} | {ratio:.2f} |", flush=True
            )
            assert ratio <= ALLOWED, f"more than {ALLOWED} times the buffers"


if __name__ == "__main__":
    main()
