"""The relay: applies every event of the log to the views, because the fast path may fail.

It also runs the subscriptions, in background threads.
"""

import logging
from collections.abc import Callable, Sequence

from redis.client import PubSub
from redis.exceptions import RedisError

from allocation.adapters.postgres.log.event_log import READ_AT_ONCE, EventLog, LogBehind
from allocation.entrypoints.relay.background import BackgroundThread
from allocation.entrypoints.relay.formats import format_to_build, require_known_format, warn_of_older_format
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from allocation.shutdown import Shutdown, ShutdownRequested
from readmodel.logs import visible
from readmodel.outage import Outage
from readmodel.projector.fold import Projection
from readmodel.projector.follow import Completeness, follow
from readmodel.projector.rebuild import RebuildFailed, rebuild
from readmodel.store.errors import ModelAbsent, UnknownFormat
from readmodel.store.formats import DEFAULT, Format
from readmodel.store.records.presence import RedisShared, require_alone
from readmodel.store.store import Store

logger = logging.getLogger(__name__)

POLL = 0.25
PAUSE = 1.0
REST = 0.1
"""Seconds to wait after a page that was not full, so that the next page covers several commits.

Meanwhile, the fast path updates the views.
"""
THREAD_ENDS_WITHIN = 2.0


class Relay:
    """Updates the views in the calling thread. Meanwhile, the given background threads do the other jobs.

    It calls `show_life` at each turn. If the views are missing, it rebuilds them: see `format_to_build`. It calls
    `start_metrics` when it starts, and `applied` with the number of events of each page.
    """

    def __init__(
        self,
        log: EventLog,
        store: Store,
        projection: Projection,
        shutdown: Shutdown,
        threads: Sequence[BackgroundThread],
        show_life: Callable[[], None] = lambda: None,
        target: Format = DEFAULT,
        applied: Callable[[int], object] = lambda _: None,
        start_metrics: Callable[[], None] = lambda: None,
    ) -> None:
        self._log = log
        self._store = store
        self._projection = projection
        self._shutdown = shutdown
        self._threads = threads
        self._format = target
        self._show_life = show_life
        self._applied = applied
        self._start_metrics = start_metrics
        self._outage = Outage(logger)
        self._follows = False
        self._database = ""
        self._completeness = Completeness()

    def run(self) -> None:
        """Update the views until the shutdown. Then wait up to THREAD_ENDS_WITHIN seconds for each background thread.

        If a store is unavailable, retry every PAUSE seconds. If a background thread fails, raise its error. The other
        threads are daemon threads: they continue until the process ends. Raise RedisShared before the first page.
        """
        self._start_metrics()
        for thread in self._threads:
            thread.start()
        self._run()
        for thread in self._threads:
            thread.join(THREAD_ENDS_WITHIN)

    def _run(self) -> None:
        while not self._shutdown.requested:
            self._check_threads()
            try:
                self._relay()
            except ShutdownRequested:
                return
            except RedisShared as error:
                if not self._follows:
                    raise
                self._outage.failed("The relay waits", error)  # Another relay of a restored database may be suspended.
                self._shutdown.wait(PAUSE)
            except (RedisError, StoreUnavailable, RetryableError, RebuildFailed, LogBehind, UnknownFormat) as error:
                self._outage.failed(f"The relay is interrupted, and retries every {PAUSE:.0f} s", error)
                self._shutdown.wait(PAUSE)

    def _relay(self) -> None:
        require_known_format(self._store)
        self._store.install(self._projection.cached_members)
        with self._store.redis.pubsub(ignore_subscribe_messages=True) as commits:
            self._subscribe(commits)
            while not self._shutdown.requested:
                try:
                    self._apply_page(commits)
                    self._check_threads()
                except UnknownFormat:
                    raise
                except (ModelAbsent, LogBehind) as loss:
                    self._show_presence(commits)
                    self._rebuild(loss)

    def _subscribe(self, commits: PubSub) -> None:
        """Subscribe to commits, and show this relay's presence. Raise RedisShared if another database uses these names.

        If two relays start at the same time, at least one of them sees the other.
        """
        commits.subscribe(self._store.names.committed)
        commits.get_message(timeout=PAUSE)  # Redis confirms the subscription.
        self._database = ""
        require_alone(self._store.redis, self._store.names, self._show_presence(commits))

    def _show_presence(self, commits: PubSub) -> str:
        """Show that a relay works for this database, and return its name. A restored database has another name."""
        database, names = self._log.database(), self._store.names
        if database != self._database:
            if self._database:
                commits.unsubscribe(names.presence(self._database))
            commits.subscribe(names.presence(database))
            commits.get_message(timeout=PAUSE)
            self._database = database
        return database

    def _apply_page(self, commits: PubSub) -> None:
        moved = follow(self._store, self._log, self._projection, self._completeness, self._applied)
        self._outage.over("The relay works")
        if not self._follows:
            logger.info("The relay follows the log")
            self._follows = True
            warn_of_older_format(self._store)
        if not moved:
            wait_for_commit(commits)
            return
        for thread in self._threads:
            thread.wake_up.set()
        if moved < READ_AT_ONCE:
            self._shutdown.wait(REST)
        discard_wake_ups(commits)

    def _check_threads(self) -> None:
        """Show that the relay works. Raise the error of a background thread that has failed."""
        self._show_life()
        for thread in self._threads:
            if thread.failure is not None:
                raise thread.failure

    def _rebuild(self, loss: Exception) -> None:
        self._show_life()
        with self._log.rebuild_lock() as mine:
            if not mine:
                self._shutdown.wait(PAUSE)
                return
            require_alone(self._store.redis, self._store.names, self._database)
            logger.warning("The relay rebuilds the views: %s", loss)
            target = format_to_build(self._store, self._format)
            rebuilt = rebuild(self._store, self._log, self._projection, lambda *_: self._work_on(), target)
            logger.info("%s", visible(str(rebuilt)))

    def _work_on(self) -> None:
        self._shutdown.check()
        self._show_life()


def wait_for_commit(commits: PubSub) -> None:
    """Wait up to POLL seconds for the wake-up that a commit publishes. It is missing if Redis was unreachable."""
    if commits.get_message(timeout=POLL) is not None:
        discard_wake_ups(commits)


def discard_wake_ups(commits: PubSub) -> None:
    """Read and discard the pending wake-ups. One page covers many commits, and Redis disconnects a slow reader."""
    while commits.get_message(timeout=0) is not None:
        pass
