"""A dump is restored into a new cluster, in which the numbers of transactions start again."""

from contextlib import closing
from io import StringIO
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Engine, text

from allocation import components
from allocation.adapters.postgres.checks.audit import audit
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import migrate
from allocation.domain.commands import Allocate, CreateBatch
from tests.support import servers
from tests.support.e2e.database import scalar
from tests.support.eventually import eventually

TABLES = ("products", "batches", "order_lines", "events")

IS_LATER = "SELECT max(transaction) >> 20 < CAST(floor(extract(epoch FROM now())) AS bigint) FROM events"


def used_database(url: str) -> Engine:
    engine = create_postgres_engine(url)
    migrate(engine)
    return engine


def allocate_lines(engine: Engine, orders: range) -> None:
    bus = components.create_message_bus(engine, components.leave_to_relay)
    for number in orders:
        bus.handle(Allocate(f"o{number}", "S", 1))


def copy_rows(source: str, target: str) -> None:
    """Do what a restore of a dump does: copy the rows, and set the sequence."""
    with closing(psycopg2.connect(source)) as old, closing(psycopg2.connect(target)) as new:
        for table in TABLES:
            rows = StringIO()
            old.cursor().copy_expert(f"COPY {table} TO STDOUT", rows)
            rows.seek(0)
            new.cursor().copy_expert(f"COPY {table} FROM STDIN", rows)
        new.cursor().execute("SELECT setval('events_position_seq', (SELECT max(position) FROM events))")
        new.commit()


def numbers(engine: Engine, condition: str) -> set[int]:
    """Return the numbers that PostgreSQL gave to the transactions of these events."""
    with engine.connect() as connection:
        query = text(f"SELECT transaction & 1048575 FROM events WHERE {condition}")
        return set(connection.execute(query).scalars())


@pytest.mark.slow
def test_the_audit_passes_after_a_restore(tmp_path: Path) -> None:
    """Two transactions with one name would look like one transaction with two last events."""
    with (
        servers.running(servers.postgres_in(tmp_path / "old")) as old,
        servers.running(servers.postgres_in(tmp_path / "new")) as new,
    ):
        before, after = used_database(old.url), used_database(new.url)
        components.create_message_bus(before, components.leave_to_relay).handle(CreateBatch("b1", "S", 1_000))
        allocate_lines(before, range(40))
        copy_rows(old.url, new.url)
        eventually(lambda: scalar(after, IS_LATER))  # A restore takes longer than the second in which names can repeat.
        allocate_lines(after, range(40, 80))
        last = "position <= (SELECT max(position) FROM events) - 40"
        assert numbers(after, last) & numbers(after, f"NOT {last}"), "no number occurs in both clusters"
        assert [finding for finding in audit(after) if finding.breaches] == []
        before.dispose()
        after.dispose()
