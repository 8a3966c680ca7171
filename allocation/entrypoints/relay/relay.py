"""The relay: applies to the views whatever the fast path has not applied, and runs the subscriptions."""

import logging
from collections.abc import Sequence

from redis.client import PubSub
from redis.exceptions import RedisError

from allocation.adapters.postgres.event_log import READ_AT_ONCE, EventLog, LogBehind
from allocation.entrypoints.relay.background import BackgroundThread
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from allocation.shutdown import Shutdown, ShutdownRequested
from readmodel.projector.fold import Projection
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import RebuildFailed, rebuild
from readmodel.store import keys
from readmodel.store.snapshot import ModelAbsent
from readmodel.store.store import Store

logger = logging.getLogger(__name__)

POLL = 0.25
PAUSE = 1.0
REST = 0.1
"""Seconds to rest after a page that was not full, so that the next page has more than one commit in it.

In the meantime the fast path updates the views.
"""
THREADS_END_WITHIN = 2.0


class Relay:
    """Runs the given threads beside its own work."""

    def __init__(
        self,
        log: EventLog,
        store: Store,
        projection: Projection,
        shutdown: Shutdown,
        threads: Sequence[BackgroundThread] = (),
    ) -> None:
        self._log = log
        self._store = store
        self._projection = projection
        self._shutdown = shutdown
        self._threads = threads

    def run(self) -> None:
        """Work until the shutdown. If a store is unavailable, wait for it. Raises the error of a thread that failed."""
        for thread in self._threads:
            thread.start()
        self._run()
        for thread in self._threads:
            thread.join(THREADS_END_WITHIN)

    def _run(self) -> None:
        while not self._shutdown.requested:
            self._check_threads()
            try:
                self._relay()
            except ShutdownRequested:
                return
            except (RedisError, StoreUnavailable, RetryableError, RebuildFailed) as error:
                logger.warning("The relay tries again in a second: %s", error)
                self._shutdown.wait(PAUSE)

    def _relay(self) -> None:
        self._store.install(self._projection.cached_members)
        with self._store.redis.pubsub(ignore_subscribe_messages=True) as commits:
            commits.subscribe(keys.COMMITTED)
            logger.info("The relay follows the log")
            while not self._shutdown.requested:
                try:
                    self._apply_page(commits)
                    self._check_threads()
                except (ModelAbsent, LogBehind) as loss:
                    self._rebuild(loss)

    def _apply_page(self, commits: PubSub) -> None:
        events = follow(self._store, self._log, self._projection)
        if not events:
            wait_for_commit(commits)
            return
        for thread in self._threads:
            thread.news.set()
        if events < READ_AT_ONCE:
            self._shutdown.wait(REST)
        discard_wake_ups(commits)

    def _check_threads(self) -> None:
        for thread in self._threads:
            if thread.failure is not None:
                raise thread.failure

    def _rebuild(self, loss: Exception) -> None:
        with self._log.exclusive() as mine:
            if not mine:
                self._shutdown.wait(PAUSE)
                return
            logger.warning("Rebuilding the views: %s", loss)
            events = rebuild(self._store, self._log, self._projection, lambda *_: self._shutdown.check())
            logger.info("Rebuilt the views from %s events", events, extra={"events": events})


def wait_for_commit(commits: PubSub) -> None:
    """Wait for a commit, but at most for POLL seconds: a process that commits may not reach Redis."""
    if commits.get_message(timeout=POLL) is not None:
        discard_wake_ups(commits)


def discard_wake_ups(commits: PubSub) -> None:
    """Read the other wake-ups: one page covers many commits. Redis disconnects a client that leaves them unread."""
    while commits.get_message(timeout=0) is not None:
        pass
