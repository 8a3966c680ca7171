"""Another database, or an earlier sequence, appears at the URL of a running service."""

from pathlib import Path

import pytest

from allocation import components
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.domain.commands import CreateBatch
from allocation.local.postgres import Postgres
from tests.support.adapters.databases import execute_at, fresh_database
from tests.support.failovers import lost_commands
from tests.support.failovers.lost_commands import LOST, LOST_LINES, LOST_ORDERS, NEW, SHARED
from tests.support.failovers.replacement import restored_copy, swap_databases
from tests.support.failovers.service import service_on
from tests.support.failovers.watch import watched_order

READ_IDENTITY = "SELECT identity FROM log"


@pytest.mark.slow
def test_the_views_forget_what_a_restored_dump_lacks(
    postgres: Postgres, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with service_on(database_url, redis_url) as service:
        lost_commands.execute(service.api, SHARED)
        with restored_copy(postgres, database_url, tmp_path / "dump") as restored:
            lost_commands.execute(service.api, LOST)
            service.wait_for_relay()
            lost_commands.assert_lost_history_shows(service.api)
            former = service.live()
            swap_databases(postgres, database_url, restored)
            assert service.value(LOST_LINES) == 0
            lost_commands.execute(service.api, NEW)
            service.wait_for_rebuild(former)
            lost_commands.assert_new_history_shows(service.api)


@pytest.mark.slow
def test_the_views_follow_another_database_in_its_place(postgres: Postgres, database_url: str, redis_url: str) -> None:
    """Both databases are copies of one template. So their logs have one identity. The other log is longer."""
    with service_on(database_url, redis_url) as service, fresh_database(postgres) as other:
        engine = create_postgres_engine(other)
        batches = [CreateBatch(f"other-{number}", "OTHER", 10) for number in range(50)]
        list(components.create_message_bus(engine, components.leave_to_relay).handle_all(batches))
        engine.dispose()
        assert [(service.value(READ_IDENTITY),)] == execute_at(other, READ_IDENTITY)
        lost_commands.execute(service.api, [*SHARED, *LOST])
        service.wait_for_relay()
        former, cursor = service.live(), service.cursor()
        swap_databases(postgres, database_url, other)
        assert service.log_end() > cursor
        service.wait_for_rebuild(former)
        assert {service.api.get("orders", orderid).status for orderid in ("kept", *LOST_ORDERS)} == {404}
        assert len(service.api.get("products", "OTHER").json["batches"]) == 50


@pytest.mark.slow
def test_a_reset_sequence_replaces_no_view_by_an_empty_one(database_url: str, redis_url: str) -> None:
    """The next positions are already in the log, and the log seems to end before the cursor."""
    with service_on(database_url, redis_url) as service:
        lost_commands.execute(service.api, [*SHARED, *LOST])
        service.wait_for_relay()
        former = service.live()
        with watched_order(service, "kept") as seen:
            assert service.value("SELECT setval('events_position_seq', 1)") == 1
            lost_commands.execute(service.api, [("add_batch", {"ref": "new", "sku": "NEW", "qty": 1})])
            service.wait_for_rebuild(former)
        assert {status for status, _ in seen} == {200}
        lost_commands.assert_lost_history_shows(service.api)
        assert service.api.get("batches", "new").json["available"] == 1
