"""A subscription passes events of the log to a handler, and stores its own cursor."""

import logging
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError
from sqlalchemy import Engine

from allocation.adapters.postgres.subscriptions import Cursor, locked_cursor
from allocation.entrypoints.relay.background import BackgroundThread
from allocation.entrypoints.relay.handled_events import HandledEvents
from allocation.service_layer.out_of_stock import NotSent
from allocation.service_layer.unit_of_work import LoggedEvent, RetryableError, StoreUnavailable
from allocation.shutdown import Shutdown
from readmodel.outage import Outage
from readmodel.store.errors import UnknownFormat

logger = logging.getLogger(__name__)

POLL = 0.25
PAUSE, LONGEST_PAUSE, LONGEST_PAUSE_OF_MAIL = 1.0, 5.0, 60.0

UNAVAILABLE = (RedisError, StoreUnavailable, RetryableError, NotSent, UnknownFormat)


class Subscription(BackgroundThread):
    """Passes the events of the given types to `handle`, in log order and at least once.

    If `handle` raises an error of UNAVAILABLE, the subscription passes the same events again after a pause. It passes
    events up to the fence. If `upto` returns a lower position, it passes events only up to that position. Only one
    process at a time runs the subscription with this name.
    """

    def __init__(
        self,
        name: str,
        types: Sequence[str],
        engine: Engine,
        handle: Callable[[Sequence[LoggedEvent]], None],
        handled: HandledEvents,
        shutdown: Shutdown,
        upto: Callable[[], int | None] = lambda: None,
    ) -> None:
        super().__init__(name, shutdown)
        self._types = types
        self._engine = engine
        self._handle = handle
        self._handled = handled
        self._upto = upto
        self._outage = Outage(logger)

    def work(self) -> None:
        pause = PAUSE
        while not self.shutdown.requested:
            try:
                with locked_cursor(self._engine, self.name) as cursor:
                    if cursor is None:
                        self._outage.over(f"Another process runs the subscription {self.name}")
                    else:
                        # The database may have lost the cursor.
                        cursor.skip(self._handled.latest())
                    while cursor is not None and not self.shutdown.requested:
                        self._handle_page(cursor)
                        self._outage.over(f"The subscription {self.name} works")
                        pause = PAUSE
                self.shutdown.wait(PAUSE)
            except UNAVAILABLE as error:
                self._outage.failed(f"The subscription {self.name} is interrupted, and the relay retries", error)
                self.shutdown.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_OF_MAIL if isinstance(error, NotSent) else LONGEST_PAUSE)

    def _handle_page(self, cursor: Cursor) -> None:
        """Handle a page of events and move the cursor. If the log has no new events, wait up to POLL seconds."""
        self.wake_up.clear()
        events, position, names = cursor.read(self._types, self._upto())
        if events:
            self._handle(events)
            self._handled.record(names)
        if position > cursor.position:
            cursor.move(position, handled=bool(events))
        else:
            self.wake_up.wait(POLL)
