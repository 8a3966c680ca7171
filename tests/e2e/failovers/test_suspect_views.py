"""Queries and health checks warn clients while the relay replaces views of a lost history."""

from contextlib import ExitStack

import pytest

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.log.event_log import EventLog
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.failovers import lost_commands
from tests.support.failovers.lost_commands import LOST, SHARED
from tests.support.failovers.replication import ReplicatedPostgres
from tests.support.failovers.service import Service, view_flag
from tests.support.processes import suspended
from tests.support.services import web


@pytest.mark.slow
def test_queries_warn_until_the_views_are_replaced(servers: ReplicatedPostgres, service: Service) -> None:
    """The relay can't begin the rebuild, because this test holds its lock. Only one of the web processes is ready."""
    with web(service.environment | {"ALLOCATION_SUSPECT_IS_READY": "false"}) as port:
        strict = Api(port)
        lost_commands.execute(service.api, SHARED)
        servers.cut_off_standby()
        lost_commands.execute(service.api, LOST)
        service.wait_for_relay()
        former = service.live()
        with ExitStack() as lock:
            with suspended(service.relay):
                servers.fail_over()
                engine = create_postgres_engine(servers.url)
                lock.callback(engine.dispose)
                assert lock.enter_context(EventLog(engine).rebuild_lock())
            eventually(lambda: answer_about(service.api, "lost-1") == (200, "suspect"))
            assert answer_about(strict, "lost-1") == (200, "suspect")
            assert answer_about(service.api, "never") == (404, "suspect")
            eventually(lambda: readiness(service.api) == (200, "suspect"))
            assert readiness(strict) == (503, "suspect")
        service.wait_for_rebuild(former)
        assert answer_about(strict, "lost-1") == (404, None)
        eventually(lambda: readiness(strict) == (200, None))
        assert readiness(service.api) == (200, None)
        strict.connection.close()


def answer_about(api: Api, orderid: str) -> tuple[int, str | None]:
    """Return the status and the flag of the order's answer."""
    answer = api.get("orders", orderid)
    return answer.status, view_flag(answer)


def readiness(api: Api) -> tuple[int, str | None]:
    """Return the status of /health/ready, and its warning about the views."""
    answer = api.get("health", "ready")
    return answer.status, answer.json.get("views")
