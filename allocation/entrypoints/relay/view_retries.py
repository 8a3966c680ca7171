"""Applies the parked events of the views that an operator wants to retry."""

import logging

from redis.exceptions import RedisError

from allocation.entrypoints.relay.background import BackgroundThread
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from allocation.shutdown import Shutdown
from readmodel.outage import Outage
from readmodel.projector.fold import Projection
from readmodel.projector.follow import Log
from readmodel.projector.parking import retry_parked
from readmodel.store.errors import ModelAbsent
from readmodel.store.store import Store

logger = logging.getLogger(__name__)

EVERY = 1.0


class ViewRetries(BackgroundThread):
    """Looks for such events every second. Several relays may run this thread: a repeated event changes nothing."""

    def __init__(self, store: Store, log: Log, projection: Projection, shutdown: Shutdown) -> None:
        super().__init__("view retries", shutdown)
        self._store = store
        self._log = log
        self._projection = projection
        self._outage = Outage(logger)

    def work(self) -> None:
        while not self.shutdown.requested:
            try:
                retry_parked(self._store, self._log.letters, self._projection, self._log.identity())
                self._outage.over("Parked events of the views are retried")
            except (RedisError, StoreUnavailable, RetryableError, ModelAbsent) as error:
                self._outage.failed("Parked events of the views are not retried now", error)
            self.shutdown.wait(EVERY)
