"""Deletes old idempotency keys in small steps, so that commands do not wait for the deletion."""

import logging

from sqlalchemy import Engine

from allocation.adapters.postgres.idempotency import DELETED_AT_ONCE, delete_old_keys
from allocation.entrypoints.relay.background import BackgroundThread
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from allocation.shutdown import Shutdown
from readmodel.outage import Outage

logger = logging.getLogger(__name__)

EVERY = 60.0
BETWEEN_STEPS = 0.1


class KeyExpiry(BackgroundThread):
    """Every `every` seconds, deletes the keys that are older than `age` seconds. Several relays may run this thread."""

    def __init__(self, engine: Engine, age: float, shutdown: Shutdown, every: float = EVERY) -> None:
        super().__init__("key expiry", shutdown)
        self._engine = engine
        self._age = age
        self._every = every
        self._outage = Outage(logger)

    def work(self) -> None:
        while not self.shutdown.requested:
            try:
                more = delete_old_keys(self._engine, self._age) == DELETED_AT_ONCE
                self._outage.over("Old idempotency keys are deleted")
                self.shutdown.wait(BETWEEN_STEPS if more else self._every)
            except (StoreUnavailable, RetryableError) as error:
                self._outage.failed("Old idempotency keys are not deleted, and the relay retries", error)
                self.shutdown.wait(self._every)
