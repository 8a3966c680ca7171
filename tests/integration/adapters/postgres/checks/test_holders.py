"""Holders of locks, as a role without pg_read_all_stats sees them."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.checks.holders import HIDDEN, look, read_holders
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.migrations.privileges import grant
from tests.support.adapters.event_log import append, out_of_stock

ROLE = "without_statistics"
CREATE = f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN PASSWORD '{ROLE}'; EXCEPTION WHEN duplicate_object THEN NULL; END $$"


@pytest.fixture
def limited(engine: Engine, database_url: str) -> Iterator[Engine]:
    """An engine of a role that may not see the statements of other roles."""
    with engine.begin() as connection:
        connection.execute(text(CREATE))
        grant(connection, ROLE)
    netloc = urlsplit(database_url).netloc.rpartition("@")[2]
    limited = create_postgres_engine(urlsplit(database_url)._replace(netloc=f"{ROLE}:{ROLE}@{netloc}").geturl())
    yield limited
    limited.dispose()


def test_hidden_transaction_is_a_holder_if_two_looks_find_it(engine: Engine, limited: Engine) -> None:
    with engine.connect() as holder:
        append(holder, out_of_stock("S", 1))
        pid = holder.execute(text("SELECT pg_backend_pid()")).scalar_one()
        pauses: list[float] = []
        [found] = read_holders(limited, pauses.append)
    assert (found.pid, found.seconds, found.state, found.fence) == (pid, None, HIDDEN, True)
    assert found.statement == "<insufficient privilege>"
    assert pauses == [1.0]


def test_hidden_transaction_that_ends_between_two_looks_is_none(engine: Engine, limited: Engine) -> None:
    """The session then begins another transaction, which holds the fence, too."""
    with engine.connect() as holder:
        append(holder, out_of_stock("S", 1))

        def commit_and_append(_: float) -> None:
            holder.commit()
            append(holder, out_of_stock("S", 2))

        assert read_holders(limited, commit_and_append) == []
        assert len(look(limited)) == 1


def test_young_transaction_is_no_holder(engine: Engine) -> None:
    with engine.connect() as holder:
        append(holder, out_of_stock("S", 1))
        assert read_holders(engine) == []
