"""Verifies and repairs the live views all the time, so slowly that it delays nothing."""

import logging

from redis.exceptions import RedisError
from sqlalchemy import Engine

from allocation.adapters.postgres.checks.state import StateReader
from allocation.adapters.postgres.checks.verification_lock import HeldLock, verification_lock
from allocation.entrypoints.relay.background import BackgroundThread
from allocation.entrypoints.relay.verification.pace import Pace
from allocation.entrypoints.relay.verification.walk import Walk
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from allocation.shutdown import Shutdown, ShutdownRequested
from readmodel.logs import visible
from readmodel.outage import Outage
from readmodel.projector.fold import Projection
from readmodel.projector.follow import Log, require_history
from readmodel.projector.verification.differences import Difference, ViewsBehind
from readmodel.projector.verification.verifier import Verifier
from readmodel.store.errors import ModelAbsent
from readmodel.store.records.drift import count_corrected
from readmodel.store.store import Store

logger = logging.getLogger(__name__)

PAUSE = 1.0
MOST_SHOWN = 4_000
"""Characters of a difference in the log."""

UNAVAILABLE = (RedisError, StoreUnavailable, RetryableError, ModelAbsent, ViewsBehind)


class ContinuousVerification(BackgroundThread):
    """Verifies `rate` registers per second, corrects each difference, logs it and counts it.

    Only one process at a time verifies. If the views are missing or damaged, the thread waits: the relay rebuilds them.
    """

    def __init__(
        self, engine: Engine, store: Store, log: Log, projection: Projection, rate: float, shutdown: Shutdown
    ) -> None:
        super().__init__("continuous verification", shutdown)
        state = StateReader(engine)
        self._engine = engine
        self._store = store
        self._log = log
        self._verifier = Verifier(store, log, projection, state, self._pause)
        self._pace = Pace(rate)
        self._walk = Walk(self._verifier, state, self._pace.page)
        self._outage = Outage(logger)

    @property
    def rounds(self) -> int:
        """The number of times that the thread has verified everything."""
        return self._walk.rounds

    def work(self) -> None:
        while not self.shutdown.requested:
            try:
                with verification_lock(self._engine) as lock:
                    if lock is None:
                        self._outage.over("Another relay verifies the views")
                    else:
                        self._verify(lock)
            except ShutdownRequested:
                return
            except UNAVAILABLE as error:
                # The text of ViewsBehind contains a position, so it would be a new reason each time.
                reason = "the views lag behind the log" if isinstance(error, ViewsBehind) else error
                self._outage.failed("The continuous verification is interrupted, and the relay retries", reason)
            self.shutdown.wait(PAUSE)

    def _verify(self, lock: HeldLock) -> None:
        while True:
            lock.check()
            registers = self._walk.step(self._correct)
            self._outage.over("The continuous verification works")
            self._pause(self._pace.pause_after(registers))

    def _correct(self, difference: Difference) -> None:
        self._require_history()
        if self._verifier.repair(difference):
            shown = visible(str(difference))[:MOST_SHOWN]
            logger.warning("The views differed from the database, and the relay corrected %s", shown)
            count_corrected(self._store.redis, self._store.names)

    def _require_history(self) -> None:
        """Raise ModelAbsent if the views show another history than the database, and StoreUnavailable on a standby.

        Otherwise the thread could replace right registers by those of a server that lacks commits.
        """
        live = self._store.generations().live
        progress = self._store.progress(live) if live else None
        if live is None or progress is None:
            raise ModelAbsent
        require_history(self._store, live, progress, self._log.history(progress.buckets).identity)

    def _pause(self, seconds: float) -> None:
        self.shutdown.wait(seconds)
        self.shutdown.check()
