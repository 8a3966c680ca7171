"""The relay: brings the views up to date from the log, whatever the fast path has done or not done."""

import logging
from collections.abc import Sequence

from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError

from allocation.adapters.postgres.event_log import READ_AT_ONCE, EventLog, LogBehind
from allocation.entrypoints.relay.background import Companion
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from allocation.shutdown import Stop, Stopped
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import RebuildFailed, rebuild
from readmodel.store import keys
from readmodel.store.store import ModelAbsent, Store

logger = logging.getLogger(__name__)

POLL = 0.25
PAUSE = 1.0
REST = 0.1
"""Seconds after a page that was not full, so that the next one has more than one commit in it.

In the meantime those who commit show their own.
"""
COMPANIONS_END_WITHIN = 2.0


class Relay:
    """`companions` work beside it, each at its own pace."""

    def __init__(self, log: EventLog, redis: Redis, stop: Stop, companions: Sequence[Companion] = ()) -> None:
        self._log = log
        self._redis = redis
        self._store = Store(redis)
        self._stop = stop
        self._companions = companions

    def run(self) -> None:
        """Relay until it is to stop. A store that goes away is waited for. Raises what a companion failed of."""
        for companion in self._companions:
            companion.start()
        self._run()
        for companion in self._companions:
            companion.join(COMPANIONS_END_WITHIN)

    def _run(self) -> None:
        while not self._stop.requested:
            self._check_companions()
            try:
                self._relay()
            except Stopped:
                return
            except (RedisError, StoreUnavailable, RetryableError, RebuildFailed) as error:
                logger.warning("The relay tries again in a second: %s", error)
                self._stop.wait(PAUSE)

    def _relay(self) -> None:
        self._store.install()
        with self._redis.pubsub(ignore_subscribe_messages=True) as commits:
            commits.subscribe(keys.COMMITTED)
            logger.info("The relay follows the log")
            while not self._stop.requested:
                try:
                    self._take_a_page(commits)
                    self._check_companions()
                except (ModelAbsent, LogBehind) as loss:
                    self._rebuild(loss)

    def _take_a_page(self, commits: PubSub) -> None:
        events = follow(self._store, self._log)
        if not events:
            wait_for_commit(commits)
            return
        self._give_news()
        if events < READ_AT_ONCE:
            self._stop.wait(REST)
        forget_wake_ups(commits)

    def _give_news(self) -> None:
        for companion in self._companions:
            companion.news.set()

    def _check_companions(self) -> None:
        for companion in self._companions:
            if companion.failure is not None:
                raise companion.failure

    def _rebuild(self, loss: Exception) -> None:
        with self._log.exclusive() as alone:
            if not alone:
                self._stop.wait(PAUSE)
                return
            logger.warning("Rebuilding the views: %s", loss)
            events = rebuild(self._store, self._log, lambda *_: self._stop.check())
            logger.info("The views are back, from %s events", events, extra={"events": events})


def wait_for_commit(commits: PubSub) -> None:
    """Wait until something was committed; for a quarter of a second at most, since who commits may not reach Redis."""
    if commits.get_message(timeout=POLL) is not None:
        forget_wake_ups(commits)


def forget_wake_ups(commits: PubSub) -> None:
    """Many commits, one page. Redis would cut off who leaves them unread."""
    while commits.get_message(timeout=0) is not None:
        pass
