"""A cold copy of the data folder is put in place: no server can notice that."""

from pathlib import Path

import pytest

from tests.support import servers
from tests.support.failovers import lost_commands
from tests.support.failovers.lost_commands import LOST, LOST_LINES, NEW, SHARED
from tests.support.failovers.replication import restore_data, save_data
from tests.support.failovers.service import service_on
from tests.support.processes import run_to_end, suspended


@pytest.mark.slow
def test_adopt_begins_a_new_history_after_a_restore(tmp_path: Path, redis_url: str) -> None:
    """The copy has the same server, timeline and database, and the same last event at the cursor of the relay."""
    postgres = servers.postgres_in(tmp_path / "postgres")
    with servers.running(postgres) as server, service_on(postgres.url, redis_url) as service:
        lost_commands.execute(service.api, SHARED)
        service.wait_for_relay()
        former = service.live()
        server.stop()
        save_data(postgres, tmp_path / "saved")
        server.start()
        with suspended(service.relay):
            lost_commands.execute(service.api, LOST)
            lost_commands.assert_lost_history_shows(service.api)
            server.stop()
            restore_data(postgres, tmp_path / "saved")
            server.start()
            assert service.value(LOST_LINES) == 0
        lost_commands.execute(service.api, NEW)
        service.wait_for_relay()
        assert service.live() == former
        assert run_to_end("verify", service.environment)[0] == 1, "the views are right without a new history"
        assert run_to_end("adopt", service.environment)[0] == 0
        service.wait_for_rebuild(former)
        lost_commands.assert_new_history_shows(service.api)
