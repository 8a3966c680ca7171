"""How far the views have come."""

import time

from allocation.adapters.postgres.event_log import EventLog
from benchmarks.stack import Stack
from readmodel.store.client import redis_client
from readmodel.store.store import Store

LOOK = 0.02
QUIET = 0.15
LONGEST = 300.0


def wait_for(stack: Stack) -> None:
    """Until the relay has taken the views to the end of the log. Raises TimeoutError."""
    log, deadline = EventLog(stack.engine), time.monotonic() + LONGEST
    with redis_client(stack.environment["REDIS_URL"]) as redis:
        store = Store(redis)
        while reached(store, log) < log.end():
            if time.monotonic() > deadline:
                raise TimeoutError("The relay does not bring the views up to date")
            time.sleep(LOOK)


def settle(stack: Stack) -> None:
    """Wait until nobody writes any more either: a generator that ends leaves requests behind that are still handled."""
    log, end = EventLog(stack.engine), -1
    while log.end() != end:
        wait_for(stack)
        end = log.end()
        time.sleep(QUIET)


def reached(store: Store, log: EventLog) -> int:
    live = store.generations().live
    cursor = store.cursor(live, log.identity()) if live else None
    return -1 if cursor is None else cursor
