"""Tells a subscriber what is in the log, behind a cursor of its own: at least once, in order, at its own pace."""

import logging
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError
from sqlalchemy import Engine

from allocation.adapters.postgres import subscriptions
from allocation.adapters.postgres.event_log import EventLog
from allocation.adapters.postgres.subscriptions import Cursor
from allocation.entrypoints.relay.background import Companion
from allocation.service_layer.out_of_stock import NotSent
from allocation.service_layer.unit_of_work import Message, RetryableError, StoreUnavailable
from allocation.shutdown import Stop

logger = logging.getLogger(__name__)

POLL = 0.25
PAUSE, LONGEST_PAUSE, LONGEST_PAUSE_OF_MAIL = 1.0, 5.0, 60.0

AWAY = (RedisError, StoreUnavailable, RetryableError, NotSent)


class Subscriber(Companion):
    """A subscription of the relay.

    `tell` is given the events of `types`, and raises one of AWAY where it has to be given them again. They are told as
    soon as they are final, or not beyond the position that `shown` gives. Of any number of processes one alone tells.
    """

    def __init__(
        self,
        name: str,
        types: Sequence[str],
        engine: Engine,
        tell: Callable[[Sequence[Message]], None],
        stop: Stop,
        shown: Callable[[], int | None] = lambda: None,
    ) -> None:
        super().__init__(name, stop)
        self._types = types
        self._engine = engine
        self._log = EventLog(engine)
        self._shown = shown
        self._tell = tell

    def work(self) -> None:
        pause = PAUSE
        while not self.stop_asked.requested:
            try:
                with subscriptions.held(self._engine, self.name) as cursor:
                    while cursor is not None and not self.stop_asked.requested:
                        self._step(cursor)
                        pause = PAUSE
                self.stop_asked.wait(PAUSE)
            except AWAY as error:
                logger.warning("%s tries again in %.0f seconds: %s", self.name, pause, error)
                self.stop_asked.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_OF_MAIL if isinstance(error, NotSent) else LONGEST_PAUSE)

    def _step(self, cursor: Cursor) -> None:
        """Tell a page; where there is none, wait for news."""
        self.news.clear()
        events, position = self._log.read_types(self._types, cursor.position, upto=self._shown())
        if events:
            self._tell(events)
        if position > cursor.position:
            cursor.move(position, told=bool(events))
        else:
            self.news.wait(POLL)
