"""Another server takes over and has every event: every commit waits for the standby."""

import threading
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from allocation.local.ports import free_port
from allocation.local.postgres import Postgres
from tests.support.api import Api
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.failovers.replication import ReplicatedPostgres, replicated
from tests.support.failovers.service import service_on
from tests.support.servers import UNSAFE_AND_FAST

CLIENTS, REST = "abcd", 0.05
READ_TIMELINE = "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)"


def allocate_without_pause(port: int, name: str, confirmed: list[str], done: threading.Event) -> None:
    """Allocate a line to <name>0, <name>1 and so on. Append each order whose command succeeded."""
    api = Api(port)
    for number in count():
        if done.is_set():
            break
        if api.allocate(f"{name}{number}", "S", 1).status == 202:
            confirmed.append(f"{name}{number}")
        else:
            done.wait(REST)
    api.connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("change", [ReplicatedPostgres.switch_over, ReplicatedPostgres.fail_over])
def test_a_lossless_change_of_the_server_rebuilds_nothing(
    change: Callable[[ReplicatedPostgres], None], tmp_path: Path, redis_url: str
) -> None:
    settings = {**UNSAFE_AND_FAST, "synchronous_commit": "on"}
    with (
        replicated(Postgres(tmp_path / "primary", free_port(), settings)) as servers,
        service_on(servers.url, redis_url, ALLOCATION_SYNCHRONOUS_REPLICATION="true") as service,
    ):
        servers.make_standby_synchronous()
        service.api.add_batch("b1", "S", 1_000_000)
        identity, live = service.value("SELECT identity FROM log"), service.live()
        timeline = service.value(READ_TIMELINE)
        confirmed: list[str] = []
        clients = [partial(allocate_without_pause, service.api.connection.port, name, confirmed) for name in CLIENTS]
        with in_threads(*clients):
            eventually(lambda: len(confirmed) > 100)
            change(servers)
            before = len(confirmed)
            eventually(lambda: len(confirmed) > before + 100)
        service.wait_for_relay()
        assert service.value(READ_TIMELINE) != timeline
        assert (service.value("SELECT identity FROM log"), service.value("SELECT epoch FROM log")) == (identity, 1)
        assert service.live() == live
        assert set(confirmed) <= {orderid for (orderid,) in service.rows("SELECT orderid FROM order_lines")}
        assert {service.api.get("orders", orderid).status for orderid in confirmed} == {200}
        service.assert_sound()
