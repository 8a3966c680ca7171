"""Executes commands from a Redis channel. Redis drops the messages that arrive while no consumer is connected."""

import logging
import time
from collections import Counter
from collections.abc import Callable

from allocation.adapters.schemas.commands import COMMANDS, Message, parse
from allocation.adapters.schemas.errors import InvalidInput
from allocation.domain.changes import Origin
from allocation.domain.errors import Refusal
from allocation.entrypoints.inbox import Inbox
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import StoreUnavailable
from allocation.shutdown import Shutdown
from readmodel.correlation import is_valid, new_id
from readmodel.outage import Outage

logger = logging.getLogger(__name__)

CHANNEL = "change_batch_quantity"
SCHEMA = COMMANDS[CHANNEL]
POLL = 0.25
PAUSE = 1.0
DRAINED_WITHIN = 2.0
LONGEST_SHOWN = 500


class Consumer:
    """The consumer of CHANNEL. `counts` holds the numbers of "handled", "refused" and "failed" messages.

    It calls `show_life` at each turn. With `log_each`, it logs each message that it has handled.
    """

    def __init__(
        self,
        bus: MessageBus,
        inbox: Inbox,
        shutdown: Shutdown,
        show_life: Callable[[], None] = lambda: None,
        *,
        log_each: bool = False,
    ) -> None:
        self.counts = Counter[str]()
        self._bus = bus
        self._inbox = inbox
        self._shutdown = shutdown
        self._show_life = show_life
        self._log_each = log_each
        self._outage = Outage(logger)

    def run(self) -> None:
        """Handle messages until the shutdown.

        After the shutdown request, handle the messages that have already arrived, for up to DRAINED_WITHIN seconds.
        """
        self._inbox.start()
        while not self._shutdown.requested:
            self._show_life()
            self._consume_next()
        self._inbox.join(DRAINED_WITHIN)
        deadline = time.monotonic() + DRAINED_WITHIN
        while time.monotonic() < deadline and self._consume_next():
            pass
        logger.info(
            "The consumer stops. Handled: %s. Refused: %s. Failed: %s. Not handled: %s",
            self.counts["handled"],
            self.counts["refused"],
            self.counts["failed"],
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
        """Handle a message. If the command is refused or fails, log that and return."""
        number = self.counts.total() + 1
        fields = {"correlation_id": correlation_id_of(data)}
        try:
            self._handle(data, fields["correlation_id"])
            self.counts["handled"] += 1
            if self._log_each:
                logger.info("Message %s on %s was handled", number, CHANNEL, extra=fields)
            self._outage.over("The consumer executes commands")
        except (InvalidInput, Refusal) as refusal:
            self._outage.over("The consumer executes commands")
            self.counts["refused"] += 1
            logger.error(
                "Message %s on %s was refused: %s: %s", number, CHANNEL, refusal, shortened(data), extra=fields
            )
        except StoreUnavailable as error:
            self.counts["failed"] += 1
            logger.error("Message %s on %s failed: %s: %s", number, CHANNEL, error, shortened(data), extra=fields)
        except Exception:
            self.counts["failed"] += 1
            message = "Message %s on %s failed because of a bug: %s"
            logger.exception(message, number, CHANNEL, shortened(data), extra=fields)

    def _handle(self, data: bytes, correlation_id: str) -> None:
        """Execute the command in the message. Raise InvalidInput or Refusal if the message is bad.

        If the store is unavailable, retry until the shutdown request, because Redis delivers a message only once. After
        the shutdown request, raise StoreUnavailable.
        """
        command = SCHEMA.from_json(data)
        while True:
            try:
                self._bus.handle(command, origin=Origin(correlation_id=correlation_id))
                return
            except StoreUnavailable as error:
                self._outage.failed(f"The consumer is interrupted, and retries every {PAUSE:.0f} s", error)
                self._show_life()
                if self._shutdown.wait(PAUSE):
                    raise


def correlation_id_of(data: bytes) -> str:
    """Return the member `correlation_id` of the message, or a new id if it has no valid one."""
    try:
        found = parse(Message, data).correlation_id
    except InvalidInput:
        return new_id()
    return found if isinstance(found, str) and is_valid(found) else new_id()


def shortened(data: bytes) -> str:
    return repr(data[:LONGEST_SHOWN]) + ("…" if len(data) > LONGEST_SHOWN else "")
