"""A table that another session has locked makes commands unavailable."""

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.checks.readiness import reason_not_ready


@pytest.mark.parametrize("mode", ["EXCLUSIVE", "ACCESS EXCLUSIVE"])
def test_a_locked_table_makes_commands_unavailable(engine: Engine, mode: str) -> None:
    with engine.connect() as other:
        other.execute(text(f"LOCK TABLE events IN {mode} MODE"))
        assert reason_not_ready(engine) == "another session locks a table"
    assert reason_not_ready(engine) is None
