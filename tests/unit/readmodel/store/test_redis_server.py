"""What the reply of INFO says about a server."""

from typing import Any

import pytest

from readmodel.store.status.server import PRIMARY, REPLICA, server_in

SOUND: dict[str, Any] = {
    "redis_version": "7.2.4",
    "server_name": "valkey",
    "valkey_version": "9.1.2",
    "role": "master",
    "uptime_in_seconds": 7,
    "connected_clients": 3,
    "used_memory": 1_000,
    "maxmemory": 2_000,
    "maxmemory_policy": "noeviction",
    "rdb_last_bgsave_status": "ok",
    "aof_enabled": 0,
    "db1": {"keys": 5, "expires": 0},
}


def test_server_has_its_own_name_and_version() -> None:
    server = server_in(SOUND, 1)
    assert (server.software, server.version, server.role, server.keys) == ("valkey", "9.1.2", PRIMARY, 5)
    assert (server.bytes, server.most_bytes, server.faults) == (1_000, 2_000, ())
    old = server_in({"redis_version": "7.0.1"}, 0)
    assert (old.software, old.version, old.keys, old.policy) == ("redis", "7.0.1", 0, "noeviction")


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"loading": 1}, "Redis still loads its data"),
        ({"rdb_last_bgsave_status": "err"}, "The last save of Redis failed"),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, "Redis can't write its append-only file"),
        ({"aof_enabled": 1, "aof_last_bgrewrite_status": "err"}, "Redis could not rewrite its append-only file"),
        ({"role": "slave", "master_link_status": "down"}, "This replica of Redis has lost its primary"),
    ],
)
def test_server_reports_its_fault(members: dict[str, Any], fault: str) -> None:
    assert server_in(SOUND | members, 1).faults == (fault,)


def test_replica_with_a_primary_has_no_fault() -> None:
    server = server_in(SOUND | {"role": "slave", "master_link_status": "up"}, 1)
    assert (server.role, server.faults) == (REPLICA, ())
