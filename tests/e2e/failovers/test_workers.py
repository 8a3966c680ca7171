"""Web workers that do nothing while a standby takes over."""

import signal
import sys

import pytest

from tests.support.api import Api
from tests.support.failovers import lost_commands
from tests.support.failovers.lost_commands import LOST, LOST_LINES, NEW, SHARED
from tests.support.failovers.replication import ReplicatedPostgres
from tests.support.failovers.service import Service
from tests.support.patience import PATIENCE
from tests.support.processes import running_program, wait_until_suspended
from tests.support.programs import stops_after_its_commit
from tests.support.services import web

LAST_EPOCH = "SELECT CAST(data->>'epoch' AS int) FROM events ORDER BY position DESC LIMIT 1"
STOPS = [sys.executable, "-m", stops_after_its_commit.__name__, "late", "S", "2"]
"""Allocates 2 units of S to the order `late`. The process stops after the commit, before it updates the views."""


@pytest.mark.slow
def test_an_idle_worker_executes_commands_after_a_failover(servers: ReplicatedPostgres, service: Service) -> None:
    """The worker still has the connections and the identity of the former log."""
    with web(service.environment) as port:
        idle = Api(port)
        lost_commands.execute(idle, SHARED)
        servers.cut_off_standby()
        lost_commands.execute(service.api, LOST)
        service.wait_for_relay()
        former = service.live()
        servers.fail_over()
        assert service.value(LOST_LINES) == 0
        lost_commands.execute(service.api, NEW)
        service.wait_for_rebuild(former)
        assert idle.allocate("late", "S", 2).status == 202
        assert lost_commands.line(idle, "late") == ("allocated", 2, lost_commands.SHIPPED_AT + 1)
        assert service.value(LAST_EPOCH) == 2
        idle.connection.close()
    service.assert_sound()


@pytest.mark.slow
def test_a_suspended_worker_writes_no_lost_data(servers: ReplicatedPostgres, service: Service) -> None:
    """The worker continues after the rebuild. Its registers have higher versions than those of the new history."""
    lost_commands.execute(service.api, SHARED)
    servers.cut_off_standby()
    lost_commands.execute(service.api, LOST)
    with running_program(STOPS, service.environment) as worker:
        wait_until_suspended(worker)
        service.wait_for_relay()
        assert lost_commands.line(service.api, "late") == ("allocated", 2, lost_commands.LAST_LOST_VERSION + 1)
        former = service.live()
        servers.fail_over()
        lost_commands.execute(service.api, NEW)
        service.wait_for_rebuild(former)
        worker.send_signal(signal.SIGCONT)
        assert worker.wait(PATIENCE) == 0
    assert service.api.get("orders", "late").status == 404
    lost_commands.assert_new_history_shows(service.api)
    service.assert_sound()
