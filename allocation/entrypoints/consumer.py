"""The consumer: executes commands from a Redis channel. Redis drops messages while no consumer is connected."""

import logging
import time
from collections import Counter

from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError

from allocation.adapters.schemas.commands import COMMANDS
from allocation.adapters.schemas.errors import InvalidCommand
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
    """`counts` holds the numbers of "handled" and "refused" messages. `redis` must not decode: a message is bytes."""

    def __init__(self, bus: MessageBus, redis: Redis, shutdown: Shutdown) -> None:
        self.counts = Counter[str]()
        self._bus = bus
        self._redis = redis
        self._shutdown = shutdown

    def run(self) -> None:
        """Consume until the shutdown, and then what has arrived already. If Redis is unavailable, wait for it."""
        while not self._shutdown.requested:
            try:
                self._listen()
            except RedisError as error:
                logger.warning("The consumer subscribes again in a second. Messages until then are lost: %s", error)
                self._shutdown.wait(PAUSE)
        logger.info("The consumer ends. Handled: %s. Refused: %s", self.counts["handled"], self.counts["refused"])

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
        """Return whether there was a message."""
        message = messages.get_message(timeout=POLL)
        if message is not None:
            self._consume(message["data"])
        return message is not None

    def _consume(self, data: bytes) -> None:
        """Handle a message. If that fails, log and count it, and go on."""
        try:
            self._handle(data)
        except (InvalidCommand, Refusal, StoreUnavailable) as error:
            self._refuse(data, str(error))
        except Exception:
            logger.exception("A message was not handled because of a bug")
            self._refuse(data, "see the error above")
        else:
            self.counts["handled"] += 1

    def _handle(self, data: bytes) -> None:
        """Handle a message. While the database is unavailable, try again: nobody sends the message a second time."""
        command = SCHEMA.from_json(data)
        while True:
            try:
                self._bus.handle(command)
                return
            except StoreUnavailable as error:
                logger.warning("The consumer tries %r again in a second: %s", command, error)
                if self._shutdown.wait(PAUSE):
                    raise

    def _refuse(self, data: bytes, reason: str) -> None:
        self.counts["refused"] += 1
        shown = repr(data[:LONGEST_SHOWN]) + ("…" if len(data) > LONGEST_SHOWN else "")
        logger.error(
            "Message %s on %s was refused: %s: %s",
            self.counts["refused"],
            CHANNEL,
            reason,
            shown,
            extra={"channel": CHANNEL, "refused": self.counts["refused"]},
        )
