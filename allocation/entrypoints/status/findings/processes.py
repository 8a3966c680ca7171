"""Findings about the processes of the service."""

from allocation.entrypoints.status.findings.finding import Finding, Findings
from allocation.entrypoints.status.runbooks import Runbook
from allocation.entrypoints.status.status import DatabaseStatus, Status
from allocation.entrypoints.status.texts import age
from readmodel.store.status.processes import uses
from readmodel.store.status.roles import RoleStatus
from readmodel.store.status.views import RedisStatus

INTERRUPTED = 3.0
"""Seconds. A relay that retries after an error shows a sign of life each second, but does not listen."""


def in_relays(status: Status) -> Findings:
    """If a store does not work, a relay is not connected all the time. Then only its signs of life count."""
    relay = role(status, "relay")
    if relay is None or are_signs_refused(status) or (is_database_unusable(status) and relay.working):
        return
    if relay.listening == 0 and min(relay.signs.values(), default=INTERRUPTED) < INTERRUPTED:
        yield Finding("The relay is interrupted", "Read its log, which has the reason", Runbook.RELAY_ABSENT)
    elif relay.listening == 0:
        yield Finding("No relay runs", "Start one with allocation relay, and read its log", Runbook.RELAY_ABSENT)
    elif relay.hanging:
        yield Finding(silence("relay", relay), "Read its log, and restart it", Runbook.RELAY_HANGS)


def are_signs_refused(status: Status) -> bool:
    """Return whether Redis refuses writes: then no process can show a sign of life."""
    return isinstance(status.redis, RedisStatus) and status.redis.refusal is not None


def is_database_unusable(status: Status) -> bool:
    return not isinstance(status.database, DatabaseStatus) or status.database.not_ready is not None


def in_consumers(status: Status) -> Findings:
    """A service without a consumer is sound. So a missing consumer counts only if one has worked in the last day."""
    consumer = role(status, "consumer")
    if consumer is None or not (consumer.signs or consumer.listening) or are_signs_refused(status):
        return
    if consumer.listening == 0:
        yield Finding(
            "No consumer runs, and Redis drops the messages of its channel",
            "Start one with allocation consumer, and read its log",
            Runbook.CONSUMER_ABSENT,
        )
    elif consumer.hanging:
        yield Finding(silence("consumer", consumer), "Read its log, and restart it", Runbook.CONSUMER_ABSENT)


def role(status: Status, name: str) -> RoleStatus | None:
    return status.redis.roles.get(name) if isinstance(status.redis, RedisStatus) else None


def silence(name: str, found: RoleStatus) -> str:
    if found.working:
        shows = "shows" if found.hanging == 1 else "show"
        return f"Of {found.listening} {name}s, {found.hanging} {shows} no sign of life"
    latest = min(found.signs.values(), default=None)
    since = "has shown no sign of life" if latest is None else f"has shown no sign of life for {age(latest)}"
    return f"The {name} hangs: it {since}"


def in_processes(status: Status) -> Findings:
    """Yield the processes that refuse requests now, or make them wait, because a resource is in use."""
    if not isinstance(status.redis, RedisStatus):
        return
    for process in status.redis.processes:
        for use in uses(process.figures):
            if use.is_full:
                what = "connections to PostgreSQL" if "connections" in use.resource else f"threads for {use.name}"
                yield Finding(
                    f"All {use.limit} {what} of process {process.pid} on {process.host} are in use",
                    "Look at the locks and at PostgreSQL first, then run more processes or threads",
                    Runbook.BUSY,
                )
