"""Executes commands from a Redis channel. Redis drops the messages that arrive while no consumer is connected."""

import logging
import time
from collections import Counter
from collections.abc import Callable

from allocation.adapters.postgres.parked_messages import ParkedMessages
from allocation.adapters.schemas.commands import COMMANDS
from allocation.entrypoints.inbox import Inbox
from allocation.entrypoints.messages import Messages, correlation_id_of, shortened
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from allocation.shutdown import Shutdown
from readmodel.outage import Outage

logger = logging.getLogger(__name__)

CHANNEL = "change_batch_quantity"
SCHEMA = COMMANDS[CHANNEL]
POLL = 0.25
PAUSE = 1.0
RETRY_EVERY = 1.0
"""Seconds from one turn of the parked messages to the next."""
RETRY_FOR = 0.5
"""After these seconds, new messages have their turn, although parked messages are still due."""
DRAINED_WITHIN = 2.0
INTERRUPTED = f"The consumer is interrupted, and retries every {PAUSE:.0f} s"


class Consumer:
    """The consumer of CHANNEL. `counts` holds the numbers of "handled", "refused", "parked" and "failed" messages.

    If a message fails because of a bug, the consumer parks it and the later messages about its batch, and goes on. It
    retries parked messages. A message has failed if the store is unavailable at the end of the process.

    It calls `show_life` at each turn, and `start_metrics` when it starts. With `log_each`, it logs each message that it
    has handled.
    """

    def __init__(
        self,
        bus: MessageBus,
        parked: ParkedMessages,
        inbox: Inbox,
        shutdown: Shutdown,
        show_life: Callable[[], None] = lambda: None,
        start_metrics: Callable[[], None] = lambda: None,
        *,
        log_each: bool = False,
    ) -> None:
        self.counts = Counter[str]()
        self._messages = Messages(bus, parked, CHANNEL, SCHEMA)
        self._inbox = inbox
        self._start_metrics = start_metrics
        self._shutdown = shutdown
        self._show_life = show_life
        self._log_each = log_each
        self._outage = Outage(logger)
        self._retry_at = 0.0

    def run(self) -> None:
        """Handle messages until the shutdown.

        After the shutdown request, handle the messages that have already arrived, for up to DRAINED_WITHIN seconds.
        """
        self._start_metrics()
        self._inbox.start()
        while not self._shutdown.requested:
            self._show_life()
            self._retry_parked()
            self._consume_next()
        self._inbox.join(DRAINED_WITHIN)
        deadline = time.monotonic() + DRAINED_WITHIN
        while time.monotonic() < deadline and self._consume_next():
            pass
        logger.info(
            "The consumer stops. Handled: %s. Refused: %s. Failed: %s. Parked: %s. Not handled: %s",
            self.counts["handled"],
            self.counts["refused"],
            self.counts["failed"],
            self.counts["parked"],
            self._inbox.waiting,
        )

    def _consume_next(self) -> bool:
        """Wait up to POLL seconds for a message and consume it. Return False if no message arrives.

        Raise the error of the inbox if a bug has ended it.
        """
        data = self._inbox.next(POLL)
        if data is not None:
            self._consume(data)
        return data is not None

    def _consume(self, data: bytes) -> None:
        """Execute a message or park it. If the command is refused or the store is unavailable, log that and return."""
        number = self.counts.total() + 1
        fields = {"correlation_id": correlation_id_of(data)}
        try:
            result = self._execute_or_park(number, data, fields["correlation_id"])
        except (StoreUnavailable, RetryableError) as error:
            result = "failed"
            logger.error("Message %s on %s failed: %s: %s", number, CHANNEL, error, shortened(data), extra=fields)
        self.counts[result] += 1
        if self._log_each and result == "handled":
            logger.info("Message %s on %s was handled", number, CHANNEL, extra=fields)

    def _execute_or_park(self, number: int, data: bytes, correlation_id: str) -> str:
        """Return what happened to the message: see `counts`.

        If the store is unavailable, retry until the shutdown request, because Redis delivers a message only once. After
        the shutdown request, raise StoreUnavailable or RetryableError.
        """
        while True:
            try:
                result = self._messages.execute_or_park(number, data, correlation_id)
                self._outage.over("The consumer executes commands")
                return result
            except (StoreUnavailable, RetryableError) as error:
                self._outage.failed(INTERRUPTED, error)
                self._show_life()
                if self._shutdown.wait(PAUSE):
                    raise

    def _retry_parked(self) -> None:
        """Execute the parked messages that are due, for RETRY_FOR seconds. Then pause for RETRY_EVERY seconds."""
        started = time.monotonic()
        if started < self._retry_at:
            return
        try:
            while self._messages.retry() and time.monotonic() < started + RETRY_FOR and not self._shutdown.requested:
                pass
            self._outage.over("The consumer executes commands")
        except (StoreUnavailable, RetryableError) as error:
            self._outage.failed(INTERRUPTED, error)
        self._retry_at = time.monotonic() + RETRY_EVERY
