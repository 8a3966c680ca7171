"""Executes commands from a Redis channel. Redis drops the messages that arrive while no consumer is connected."""

import logging
import time
from collections import Counter

from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError

from allocation.adapters.schemas.commands import COMMANDS
from allocation.adapters.schemas.errors import InvalidInput
from allocation.domain.errors import Refusal
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import StoreUnavailable
from allocation.shutdown import Shutdown

logger = logging.getLogger(__name__)

CHANNEL = "change_batch_quantity"
SCHEMA = COMMANDS[CHANNEL]
POLL = 0.25
PAUSE = 1.0
DRAINED_WITHIN = 2.0
LONGEST_SHOWN = 500


class Consumer:
    """The consumer of CHANNEL. `counts` holds the numbers of "handled", "refused" and "failed" messages.

    `redis` must return messages as bytes.
    """

    def __init__(self, bus: MessageBus, redis: Redis, shutdown: Shutdown) -> None:
        self.counts = Counter[str]()
        self._bus = bus
        self._redis = redis
        self._shutdown = shutdown

    def run(self) -> None:
        """Handle messages until the shutdown. If Redis is unavailable, subscribe again every PAUSE seconds.

        After the shutdown request, handle the messages that have already arrived, for up to DRAINED_WITHIN seconds.
        """
        while not self._shutdown.requested:
            try:
                self._listen()
            except RedisError as error:
                logger.warning(
                    "The consumer subscribes again in %.0f s. Messages until then are lost: %s", PAUSE, error
                )
                self._shutdown.wait(PAUSE)
        logger.info(
            "The consumer stops. Handled: %s. Refused: %s. Failed: %s",
            self.counts["handled"],
            self.counts["refused"],
            self.counts["failed"],
        )

    def _listen(self) -> None:
        with self._redis.pubsub(ignore_subscribe_messages=True) as messages:
            messages.subscribe(CHANNEL)
            logger.info("The consumer listens on %s", CHANNEL)
            while not self._shutdown.requested:
                self._consume_next(messages)
            messages.unsubscribe(CHANNEL)
            deadline = time.monotonic() + DRAINED_WITHIN
            while time.monotonic() < deadline and self._consume_next(messages):
                pass

    def _consume_next(self, messages: PubSub) -> bool:
        """Wait up to POLL seconds for a message and consume it. Return False if no message arrives."""
        message = messages.get_message(timeout=POLL)
        if message is not None:
            self._consume(message["data"])
        return message is not None

    def _consume(self, data: bytes) -> None:
        """Handle a message. If the command is refused or fails, log that and return."""
        number = self.counts.total() + 1
        try:
            self._handle(data)
        except (InvalidInput, Refusal) as refusal:
            self.counts["refused"] += 1
            logger.error("Message %s on %s was refused: %s: %s", number, CHANNEL, refusal, shortened(data))
        except StoreUnavailable as error:
            self.counts["failed"] += 1
            logger.error("Message %s on %s failed: %s: %s", number, CHANNEL, error, shortened(data))
        except Exception:
            self.counts["failed"] += 1
            logger.exception("Message %s on %s failed because of a bug: %s", number, CHANNEL, shortened(data))
        else:
            self.counts["handled"] += 1

    def _handle(self, data: bytes) -> None:
        """Execute the command in the message. Raise InvalidInput or Refusal if the message is bad.

        If the store is unavailable, retry until the shutdown request, because Redis delivers a message only once. After
        the shutdown request, raise StoreUnavailable.
        """
        command = SCHEMA.from_json(data)
        while True:
            try:
                self._bus.handle(command)
                return
            except StoreUnavailable as error:
                logger.warning("The consumer retries %r in %.0f s: %s", command, PAUSE, error)
                if self._shutdown.wait(PAUSE):
                    raise


def shortened(data: bytes) -> str:
    return repr(data[:LONGEST_SHOWN]) + ("…" if len(data) > LONGEST_SHOWN else "")
