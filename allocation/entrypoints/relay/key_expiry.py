"""Deletes old idempotency keys, a few at a time, so that no command waits for it."""

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
    """Several relays may run it at once. `age` and `every` are in seconds."""

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
                logger.warning("Old idempotency keys were not deleted. The next try follows later: %s", error)
                self.shutdown.wait(self._every)
