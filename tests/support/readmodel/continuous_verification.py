"""Relays that verify the views continuously, in threads of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.entrypoints.relay.relay import Relay
from allocation.entrypoints.relay.verification.continuous_verification import ContinuousVerification
from allocation.event_handlers import PROJECTION
from allocation.shutdown import Shutdown
from readmodel.store.store import Store
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE

FAST = 10_000


@contextmanager
def verifying(
    store: Store, engine: Engine, rate: float = FAST, shutdown: Shutdown | None = None
) -> Iterator[ContinuousVerification]:
    """Run the thread alone, so that nothing updates or rebuilds the views. Assert that it ends without an error."""
    shutdown = shutdown or Shutdown()
    thread = ContinuousVerification(engine, store, EventLog(engine), PROJECTION, rate, shutdown)
    thread.start()
    try:
        yield thread
    finally:
        shutdown.request()
        thread.join(PATIENCE)
    assert (thread.is_alive(), thread.failure) == (False, None)


@contextmanager
def verifying_relay(store: Store, engine: Engine) -> Iterator[ContinuousVerification]:
    """Run a relay with the thread. Assert that the thread ends without an error."""
    shutdown = Shutdown()
    thread = ContinuousVerification(engine, store, EventLog(engine), PROJECTION, FAST, shutdown)
    relay = Relay(EventLog(engine), store, PROJECTION, shutdown, [thread])
    running = threading.Thread(target=relay.run)
    running.start()
    try:
        yield thread
    finally:
        shutdown.request()
        running.join()
        thread.join(PATIENCE)
    assert (thread.is_alive(), thread.failure) == (False, None)


def verify_everything(thread: ContinuousVerification) -> None:
    """Wait until the thread has begun and ended a whole round."""
    wanted = thread.rounds + 2
    eventually(lambda: thread.rounds >= wanted)
