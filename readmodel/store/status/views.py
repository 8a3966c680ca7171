"""The state of the views and of their server. Everything in it comes from Redis alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from readmodel.store.errors import ModelAbsent
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.records.drift import Drift, read_drift
from readmodel.store.records.heartbeat import Heartbeat
from readmodel.store.records.process_reports import ProcessReport, read
from readmodel.store.records.progress import milliseconds
from readmodel.store.status.generations import LIVE, GenerationStatus, read_generations
from readmodel.store.status.roles import RoleStatus, read_role
from readmodel.store.status.server import PRIMARY, RedisServer, read_server
from readmodel.store.status.sizes import read_sizes
from readmodel.store.status.write_probe import refusal
from readmodel.store.store import Store


@dataclass(frozen=True)
class RedisStatus:
    """The views, their server, and the processes that show signs of life there.

    - `refusal`: the error with which Redis refuses writes, or None if it accepts them, or if that was not tried
    - `absent`: why queries get a 503, or None
    - `warning`: the header `Allocation-Views` of the queries, or None
    - `processes`: the reports of the processes that work
    - `confirmed`: seconds since the relay has confirmed that the views show every commit, or None if it never has
    """

    server: RedisServer
    refusal: str | None
    absent: str | None
    warning: str | None
    confirmed: float | None
    generations: tuple[GenerationStatus, ...]
    roles: Mapping[str, RoleStatus]
    processes: tuple[ProcessReport, ...]
    drift: Drift

    @property
    def live(self) -> GenerationStatus | None:
        return next((generation for generation in self.generations if generation.use == LIVE), None)


def read_status(store: Store, channels: Mapping[str, str], *, writes: bool) -> RedisStatus:
    """Read the status. `channels` maps a role to the channel on which its processes listen.

    `writes` says that the caller may write to Redis. Then this function tries that, unless the server is a replica.

    The work does not grow with the views. If the user of Redis may not use a command, its part is unknown. Raise
    RedisError if Redis is unavailable.
    """
    server = read_server(store.redis)
    absent, warning = read_warning(store)
    return RedisStatus(
        server,
        refusal(store.redis, store.names) if writes and server.role == PRIMARY else None,
        absent,
        warning,
        seconds_since_heartbeat(store),
        tuple(read_generations(store, read_sizes(store.redis, store.names, server.keys))),
        {role: read_role(store.redis, store.names, role, channel) for role, channel in channels.items()},
        tuple(read(store.redis, store.names)),
        read_drift(store.redis, store.names),
    )


def read_warning(store: Store) -> tuple[str | None, str | None]:
    """Return why queries get a 503, and what they answer in the header `Allocation-Views`."""
    try:
        return None, store.read(nothing).warning
    except ModelAbsent as error:
        return str(error), None


def nothing(snapshot: Snapshot) -> Reading[None]:
    """Read no view. The trip only checks the live generation."""
    yield from snapshot.hashes()


def seconds_since_heartbeat(store: Store) -> float | None:
    heartbeat = Heartbeat.parse(cast("str | None", store.redis.get(store.names.heartbeat)))
    if heartbeat is None or not heartbeat.complete_at:
        return None
    now = milliseconds(cast("tuple[str, str]", store.redis.time()))
    return max(0.0, (now - heartbeat.complete_at) / 1_000)
