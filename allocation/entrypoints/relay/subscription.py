"""A subscription passes events of the log to a handler, and stores its own cursor."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Engine

from allocation.adapters.postgres.log.typed_entries import LogEntry
from allocation.adapters.postgres.parked_events import RETRIES, Retries
from allocation.adapters.postgres.subscriptions import Cursor, locked_cursor, note_error
from allocation.entrypoints.relay.background import BackgroundThread
from allocation.entrypoints.relay.delivery import UNAVAILABLE, Delivery, Failed
from allocation.entrypoints.relay.handled_events import HandledEvents
from allocation.service_layer.out_of_stock import NotSent
from allocation.service_layer.unit_of_work import LoggedEvent, RetryableError, StoreUnavailable
from allocation.shutdown import Shutdown
from readmodel.logs import visible
from readmodel.outage import Outage

logger = logging.getLogger(__name__)

POLL = 0.25
PAUSE, LONGEST_PAUSE, LONGEST_PAUSE_OF_MAIL = 1.0, 5.0, 60.0
LAST = 2**63 - 1
DUE_AT_ONCE = 100
"""SKUs with parked events that one turn handles. New events wait meanwhile."""


class Subscription(BackgroundThread):
    """Passes the events of the given types to `handle`, in the order of each SKU and at least once.

    If `handle` raises an error of UNAVAILABLE, the subscription passes the same events again after a pause, for as long
    as it takes.
    If `handle` raises another error, the subscription parks the event that is at fault and the later events of its SKU,
    and goes on. It retries the event as often as `retries` says.

    The subscription passes events up to the fence. If `upto` returns a lower position, it passes events only up to that
    position. Only one process at a time runs the subscription with this name.
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
        retries: Retries = RETRIES,
    ) -> None:
        super().__init__(name, shutdown)
        self._types = types
        self._engine = engine
        self._delivery = Delivery(handle, handled)
        self._handled = handled
        self._upto = upto
        self._retries = retries
        self._outage = Outage(logger)
        self._noted: str | None = ""
        """The error in the database: None if there is none, and empty if that is unknown."""

    def work(self) -> None:
        pause = PAUSE
        while not self.shutdown.requested:
            try:
                with locked_cursor(self._engine, self.name) as cursor:
                    if cursor is None:
                        self._outage.over(f"Another process runs the subscription {self.name}")
                        self._noted = ""
                    else:
                        # The database may have lost the cursor.
                        cursor.skip(self._handled.latest(), self._handled.parked())
                    while cursor is not None and not self.shutdown.requested:
                        self._handle_page(cursor)
                        self._note_success(cursor)
                        pause = PAUSE
                self.shutdown.wait(PAUSE)
            except UNAVAILABLE as error:
                self._outage.failed(f"The subscription {self.name} is interrupted, and the relay retries", error)
                self._note_error(visible(str(error)))
                self.shutdown.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_OF_MAIL if isinstance(error, NotSent) else LONGEST_PAUSE)

    def _handle_page(self, cursor: Cursor) -> None:
        """Handle the parked events that are due, and a page of events. If nothing happens, wait up to POLL seconds."""
        self.wake_up.clear()
        upto = self._upto()
        heads = cursor.parked.heads()
        due = [head.sku for head in heads if head.is_due][:DUE_AT_ONCE]
        is_busy = self._handle_parked(cursor, due, LAST if upto is None else upto)
        parked = {head.sku for head in (cursor.parked.heads() if is_busy else heads)}
        entries, position = cursor.read(self._types, upto)
        waiting = [entry for entry in entries if entry.sku in parked]
        failed = self._delivery.deliver_page([entry for entry in entries if entry.sku not in parked], waiting)
        if failed or waiting:
            cursor.park(failed | {entry.position: None for entry in waiting}, position, self._retries)
            self._log_first_failures(failed, entries)
        elif position > cursor.position:
            cursor.move(position, handled=bool(entries))
        elif not is_busy:
            self.wake_up.wait(POLL)

    def _handle_parked(self, cursor: Cursor, skus: Sequence[str], upto: int) -> bool:
        """Handle the first parked events of these SKUs. Return whether there were any up to position `upto`."""
        found = False
        for sku in skus:
            entries = cursor.parked.next(sku, upto)
            if not entries or self.shutdown.requested:
                continue
            found = True
            failed = self._delivery.deliver_parked(entries)
            cursor.parked.remove([entry.position for entry in entries if entry.position not in failed])
            for position, error in failed.items():
                if error is not None:
                    self._fail_again(cursor, position, sku, error)
        return found

    def _log_first_failures(self, failed: Failed, entries: Sequence[LogEntry]) -> None:
        for entry in entries:
            if (error := failed.get(entry.position)) is not None:
                logger.error(
                    "The subscription %s can't handle the event at position %s, and has parked it: %s",
                    self.name,
                    entry.position,
                    error,
                    extra={"correlation_id": entry.correlation_id},
                )

    def _fail_again(self, cursor: Cursor, position: int, sku: str, error: str) -> None:
        failure = cursor.parked.fail(position, error, self._retries)
        if failure is not None and failure.is_dead:
            logger.error(
                "The event at position %s is a dead letter of the subscription %s after %s attempts: %s. "
                "Later events of %s wait for an operator: see allocation dead show %s",
                position,
                self.name,
                failure.attempts,
                error,
                sku,
                failure.id,
            )

    def _note_error(self, error: str) -> None:
        """Store a new error for operators. If the database is unavailable, the next error is stored."""
        if error != self._noted:
            with suppress(StoreUnavailable, RetryableError):
                note_error(self._engine, self.name, error)
                self._noted = error

    def _note_success(self, cursor: Cursor) -> None:
        self._outage.over(f"The subscription {self.name} works")
        if self._noted is not None:
            cursor.note_success()
            self._noted = None
