"""Logs the transactions that hold back the log: no reader can pass the events that they have not committed."""

import logging
from contextlib import suppress

from sqlalchemy import Engine

from allocation.adapters.postgres.log.fence import Holder, holders
from allocation.entrypoints.relay.background import BackgroundThread
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from allocation.shutdown import Shutdown
from readmodel.outage import Outage

logger = logging.getLogger(__name__)

EVERY = 1.0
LONGEST = 1.0
"""Seconds. A transaction usually takes a few milliseconds after it has appended its events."""


class FenceWatch(BackgroundThread):
    """Logs each session that holds the fence for more than LONGEST seconds, and the end of the wait."""

    def __init__(self, engine: Engine, shutdown: Shutdown) -> None:
        super().__init__("fence watch", shutdown)
        self._engine = engine
        self._wait = Outage(logger)

    def work(self) -> None:
        while not self.shutdown.requested:
            with suppress(StoreUnavailable, RetryableError):  # The relay itself logs that.
                self._look(holders(self._engine, LONGEST))
            self.shutdown.wait(EVERY)

    def _look(self, found: list[Holder]) -> None:
        for holder in found:
            effect = (
                f"Views and announcements wait for a transaction that has been open for {holder.seconds:.0f} s "
                f"({holder.state}, last statement: {holder.statement})"
            )
            self._wait.failed(effect, f"process {holder.pid}")
        if not found:
            self._wait.over("Views and announcements follow every transaction")
