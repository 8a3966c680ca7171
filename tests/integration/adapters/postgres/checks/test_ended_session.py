"""The server has ended the session of the readiness check since its last run."""

from sqlalchemy import Engine, text

from allocation.adapters.postgres.checks.readiness import reason_not_ready
from allocation.adapters.postgres.driver.engine import create_postgres_engine


def test_a_session_that_has_ended_is_no_reason(engine: Engine, database_url: str) -> None:
    """After a restart of the server, the first check would report it as unreachable."""
    checked = create_postgres_engine(database_url, connections=1)
    assert reason_not_ready(checked) is None
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
    assert reason_not_ready(checked) is None
    checked.dispose()
