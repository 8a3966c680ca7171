"""Finds everything that is wrong. The functions do no I/O."""

from allocation.entrypoints.status.findings.finding import Finding
from allocation.entrypoints.status.findings.processes import in_consumers, in_processes, in_relays
from allocation.entrypoints.status.findings.readers import in_holders, in_letters, in_subscriptions, in_views
from allocation.entrypoints.status.findings.stores import in_database, in_drift, in_redis
from allocation.entrypoints.status.status import Status


def find(status: Status, stale: float) -> list[Finding]:
    """Return the findings, causes before their effects. Views are old after `stale` seconds."""
    return [
        *in_database(status),
        *in_redis(status),
        *in_relays(status),
        *in_holders(status),
        *in_views(status, stale),
        *in_subscriptions(status),
        *in_letters(status),
        *in_consumers(status),
        *in_processes(status),
        *in_drift(status),
    ]
