"""The Redis server: what it is, how full it is, and what prevents it from serving the views."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

PRIMARY, REPLICA = "primary", "replica"


@dataclass(frozen=True)
class RedisServer:
    """A server as it describes itself. `most_bytes` is its limit of memory, or 0 if it has none.

    `keys` counts the keys of the database, also those of other programs. `faults` are sentences without a full stop.
    """

    software: str
    version: str
    role: str
    uptime: int
    clients: int
    keys: int
    bytes: int
    most_bytes: int
    policy: str
    evicted: int
    faults: tuple[str, ...]


def read_server(redis: Redis) -> RedisServer:
    """Raise RedisError."""
    database: int = redis.connection_pool.connection_kwargs.get("db") or 0
    found: dict[str, Any] = redis.info()
    return server_in(found, database)


def server_in(info: Mapping[str, Any], database: int) -> RedisServer:
    """Return what the reply of INFO says about the server. Servers of other versions may omit members."""
    software = str(info.get("server_name", "redis"))
    return RedisServer(
        software=software,
        version=str(info.get(f"{software}_version") or info.get("redis_version", "")),
        role=REPLICA if info.get("role") == "slave" else PRIMARY,
        uptime=int(info.get("uptime_in_seconds", 0)),
        clients=int(info.get("connected_clients", 0)),
        keys=int(info.get(f"db{database}", {}).get("keys", 0)),
        bytes=int(info.get("used_memory", 0)),
        most_bytes=int(info.get("maxmemory", 0)),
        policy=str(info.get("maxmemory_policy", "noeviction")),
        evicted=int(info.get("evicted_keys", 0)),
        faults=tuple(faults_in(info)),
    )


def faults_in(info: Mapping[str, Any]) -> Iterator[str]:
    if info.get("loading"):
        yield "Redis still loads its data"
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        yield "The last save of Redis failed"
    if info.get("aof_enabled") and info.get("aof_last_write_status", "ok") != "ok":
        yield "Redis can't write its append-only file"
    if info.get("aof_enabled") and info.get("aof_last_bgrewrite_status", "ok") != "ok":
        yield "Redis could not rewrite its append-only file"
    if info.get("role") == "slave" and info.get("master_link_status", "up") != "up":
        yield "This replica of Redis has lost its primary"
