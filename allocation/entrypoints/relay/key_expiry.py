"""Deletes old idempotency keys in small steps, so that commands do not wait for the deletion."""

import logging

from sqlalchemy import Engine

from allocation.adapters.postgres.idempotency import DELETED_AT_ONCE, delete_old_keys
from allocation.entrypoints.relay.background import BackgroundThread
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from allocation.shutdown import Shutdown

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

    def work(self) -> None:
        while not self.shutdown.requested:
            try:
                more = delete_old_keys(self._engine, self._age) == DELETED_AT_ONCE
                self.shutdown.wait(BETWEEN_STEPS if more else self._every)
            except (StoreUnavailable, RetryableError) as error:
                logger.warning(
                    "The relay retries the deletion of old idempotency keys in %.0f s: %s", self._every, error
                )
                self.shutdown.wait(self._every)
