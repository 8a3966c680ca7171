"""Findings about the two stores."""

from allocation.adapters.postgres.checks.readiness import LOCKED
from allocation.adapters.postgres.driver.errors import DISK_FULL, NOT_MIGRATED, READ_ONLY, REASONS
from allocation.entrypoints.status.findings.finding import Finding, Findings
from allocation.entrypoints.status.runbooks import Runbook
from allocation.entrypoints.status.status import DatabaseStatus, Status, Unreachable
from allocation.entrypoints.status.texts import age
from readmodel.store.status.views import RedisStatus

DRIFT_IS_NEW = 3_600.0
"""Seconds. A correction is a finding for an hour."""
NO_PRIVILEGE = "42501"
FULL = 0.9
"""The part of a limit that may be in use."""
REMEDIES = (
    (LOCKED, "End the session that locks the table, or wait for the end of the migration", Runbook.PRODUCT_LOCKED),
    (REASONS[DISK_FULL], "Free space on its disk", Runbook.DISK_FULL),
    (NOT_MIGRATED, "Run allocation migrate", Runbook.COMMANDS_FAIL),
    (REASONS[NO_PRIVILEGE], "Run allocation migrate, or correct DATABASE_URL", Runbook.COMMANDS_FAIL),
    (
        READ_ONLY,
        "Set DATABASE_URL to the primary, or wait for the end of the failover",
        Runbook.POSTGRES_UNREACHABLE,
    ),
)
"""How a reason begins why commands get a 503, what to do, and the runbook."""


def in_database(status: Status) -> Findings:
    match status.database:
        case Unreachable(reason):
            yield Finding(
                f"PostgreSQL can't be reached: {reason}",
                "Start it, or correct DATABASE_URL. Queries still work",
                Runbook.POSTGRES_UNREACHABLE,
            )
        case DatabaseStatus(server=server, not_ready=not_ready):
            if not_ready is not None:
                yield Finding(f"Commands get a 503: {not_ready}", *remedy_of(not_ready))
            if server.sessions > FULL * server.most_sessions:
                yield Finding(
                    f"PostgreSQL has {server.sessions} sessions, and allows {server.most_sessions}",
                    "Run fewer processes or threads, raise max_connections, or use a pooler",
                    Runbook.BUSY,
                )


def remedy_of(reason: str) -> tuple[str, Runbook]:
    """Return what to do if commands get a 503 for this reason, and the runbook."""
    for start, what_to_do, runbook in REMEDIES:
        if reason.startswith(start):
            return what_to_do, runbook
    return "Read the log of PostgreSQL", Runbook.POSTGRES_UNREACHABLE


def in_redis(status: Status) -> Findings:
    redis = status.redis
    if isinstance(redis, Unreachable):
        yield Finding(
            f"Redis can't be reached: {redis.reason}",
            "Start it, or correct REDIS_URL. Commands still work",
            Runbook.REDIS_UNREACHABLE,
        )
        return
    server = redis.server
    if redis.refusal is not None:
        yield Finding(
            f"Redis refuses writes: {redis.refusal.rstrip('.')}",
            "Raise its maxmemory, delete keys of other programs, or fix its disk",
            Runbook.REDIS_FULL,
        )
    elif server.most_bytes and server.bytes > FULL * server.most_bytes:
        yield Finding(
            f"Redis uses {100 * server.bytes // server.most_bytes} % of its maxmemory",
            "Raise its maxmemory, or delete keys of other programs",
            Runbook.REDIS_FULL,
        )
    if server.most_bytes and server.policy.startswith("allkeys"):
        yield Finding(
            f"Redis may evict keys of the views: its maxmemory-policy is {server.policy}",
            "Set it to noeviction, and then run allocation verify",
            Runbook.REDIS_FULL,
        )
    for fault in server.faults:
        yield Finding(fault, "Read the log of Redis, and look at its disk", Runbook.REDIS_FULL)


def in_drift(status: Status) -> Findings:
    if not isinstance(status.redis, RedisStatus):
        return
    drift = status.redis.drift
    if drift.seconds is not None and drift.seconds < DRIFT_IS_NEW:
        yield Finding(
            f"A relay has corrected wrong registers, the last one {age(drift.seconds)} ago. So far: {drift.registers}",
            "Find the program that changes or deletes keys of the views",
            Runbook.DRIFT,
        )
