"""Deletes idempotency keys that are old enough, a few at a time, so that nobody waits for it."""

import logging

from sqlalchemy import Engine

from allocation.adapters.postgres.idempotency import DELETED_AT_ONCE, delete_old_keys
from allocation.entrypoints.relay.background import Companion
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from allocation.shutdown import Stop

logger = logging.getLogger(__name__)

EVERY = 60.0
BETWEEN_STEPS = 0.1


class Expiry(Companion):
    """Any number may do it at once. `age` is in seconds."""

    def __init__(self, engine: Engine, age: float, stop: Stop, every: float = EVERY) -> None:
        super().__init__("expiry", stop)
        self._engine = engine
        self._age = age
        self._every = every

    def work(self) -> None:
        while not self.stop_asked.requested:
            try:
                more = delete_old_keys(self._engine, self._age) == DELETED_AT_ONCE
                self.stop_asked.wait(BETWEEN_STEPS if more else self._every)
            except (StoreUnavailable, RetryableError) as error:
                logger.warning("Old idempotency keys are deleted later: %s", error)
                self.stop_asked.wait(self._every)
