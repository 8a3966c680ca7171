"""A standby that has missed commands takes over. The views show the commands that the new primary never had."""

from tests.support.eventually import eventually
from tests.support.failovers import lost_commands
from tests.support.failovers.lost_commands import LOST, LOST_ORDERS, NEW, SHARED
from tests.support.failovers.replication import ReplicatedPostgres
from tests.support.failovers.service import Service
from tests.support.failovers.watch import watched_order

LOST_LINES = f"SELECT count(*) FROM order_lines WHERE orderid IN {LOST_ORDERS}"


def test_the_views_forget_what_a_failover_has_lost(replicated: ReplicatedPostgres, service: Service) -> None:
    """While the relay rebuilds the views, queries say that their answers may be wrong."""
    lost_commands.execute(service.api, SHARED)
    replicated.cut_off_standby()
    lost_commands.execute(service.api, LOST)
    service.wait_for_relay()
    lost_commands.assert_lost_history_shows(service.api)
    assert service.value(LOST_LINES) == 4
    former = service.live()
    with watched_order(service, "lost-1") as seen:
        replicated.fail_over()
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
