"""A standby that has missed commands takes over. The views show the commands that the new primary never had."""

import pytest

from tests.support.eventually import eventually
from tests.support.failovers import lost_commands
from tests.support.failovers.lost_commands import LOST, LOST_LINES, NEW, SHARED
from tests.support.failovers.replication import ReplicatedPostgres
from tests.support.failovers.service import Service, service_on, view_flag
from tests.support.failovers.watch import watched_order
from tests.support.processes import running, suspended


@pytest.mark.slow
def test_the_views_forget_what_a_failover_has_lost(servers: ReplicatedPostgres, service: Service) -> None:
    """While the relay rebuilds the views, queries say that their answers may be wrong."""
    lost_commands.execute(service.api, SHARED)
    servers.cut_off_standby()
    lost_commands.execute(service.api, LOST)
    service.wait_for_relay()
    lost_commands.assert_lost_history_shows(service.api)
    assert service.value(LOST_LINES) == 4
    former = service.live()
    with watched_order(service, "lost-1") as seen:
        servers.fail_over()
        assert service.value(LOST_LINES) == 0, "the standby has not missed the commands"
        lost_commands.execute(service.api, NEW)
        service.wait_for_rebuild(former)
        lost_commands.assert_new_history_shows(service.api)
        eventually(lambda: seen[-1] == (404, None))
    assert {status for status, _ in seen} == {200, 404}
    flags = [flag for status, flag in seen if status == 200]
    assert set(flags) <= {None, "suspect", "behind"}
    suspect = flags.index("suspect") if "suspect" in flags else len(flags)
    assert set(flags[suspect:]) <= {"suspect"}, "after a warning, an answer of the lost history has none"


@pytest.mark.slow
def test_a_relay_that_was_down_sees_that_a_longer_log_differs(servers: ReplicatedPostgres, service: Service) -> None:
    """The new log has grown beyond the cursor, so its length reveals nothing."""
    lost_commands.execute(service.api, SHARED)
    servers.cut_off_standby()
    lost_commands.execute(service.api, LOST)
    service.wait_for_relay()
    lost_commands.assert_lost_history_shows(service.api)
    former, cursor = service.live(), service.cursor()
    service.relay.kill()
    service.relay.wait()
    servers.fail_over()
    assert service.value(LOST_LINES) == 0
    lost_commands.execute(service.api, NEW)
    lost_commands.execute(service.api, [("add_batch", {"ref": f"m{n}", "sku": "MORE", "qty": 1}) for n in range(20)])
    assert service.log_end() > cursor
    with running("relay", service.environment):
        service.wait_for_rebuild(former)
        lost_commands.assert_new_history_shows(service.api)


@pytest.mark.slow
def test_a_failover_is_noticed_above_the_cursor_too(servers: ReplicatedPostgres, redis_url: str) -> None:
    """Only the fast path has applied the lost commands. The logs do not differ up to the cursor of the relay."""
    with service_on(servers.url, redis_url, ALLOCATION_VIEWS_STALE="1") as service:
        lost_commands.execute(service.api, SHARED)
        service.wait_for_relay()
        former, cursor = service.live(), service.cursor()
        with suspended(service.relay):
            servers.cut_off_standby()
            lost_commands.execute(service.api, LOST)
            lost_commands.assert_lost_history_shows(service.api)
            eventually(lambda: view_flag(service.api.get("orders", "lost-1")) == "behind")
            servers.fail_over()
            assert (service.log_end(), service.cursor()) == (cursor, cursor)
            assert service.value(LOST_LINES) == 0
        lost_commands.execute(service.api, NEW)
        service.wait_for_rebuild(former)
        lost_commands.assert_new_history_shows(service.api)
