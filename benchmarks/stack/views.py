"""Waits for the views."""

import time

from allocation.adapters.postgres.log.event_log import EventLog
from benchmarks.stack.throwaway import Stack
from readmodel.store.client import redis_client
from readmodel.store.store import Store

POLL = 0.02
QUIET = 0.15
LONGEST_WAIT = 300.0


def wait_for_views(stack: Stack) -> None:
    """Wait until the relay has applied the whole log to the views. Raises TimeoutError."""
    log, deadline = EventLog(stack.engine), time.monotonic() + LONGEST_WAIT
    with redis_client(stack.redis_url) as redis:
        store = Store(redis)
        while applied_position(store, log) < log.end():
            if time.monotonic() > deadline:
                raise TimeoutError(f"The relay did not reach the end of the log in {LONGEST_WAIT:.0f} s")
            time.sleep(POLL)


def wait_until_idle(stack: Stack) -> None:
    """Wait until the log no longer grows either: the service may still handle the load generator's last requests."""
    log, end = EventLog(stack.engine), -1
    while log.end() != end:
        wait_for_views(stack)
        end = log.end()
        time.sleep(QUIET)


def applied_position(store: Store, log: EventLog) -> int:
    """Return the position up to which the views show the log, or -1 if there are no views."""
    live = store.generations().live
    cursor = store.cursor(live, log.identity()) if live else None
    return -1 if cursor is None else cursor
