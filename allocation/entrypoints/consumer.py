"""The consumer: takes commands from a Redis channel. What is published while nobody listens is gone, as pub/sub is."""

import logging
import time
from collections import Counter

from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError

from allocation.adapters.schemas import commands as bodies
from allocation.adapters.schemas.errors import BadCommand
from allocation.domain.errors import Refusal
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import StoreUnavailable
from allocation.shutdown import Stop

logger = logging.getLogger(__name__)

CHANNEL = "change_batch_quantity"
POLL = 0.25
PAUSE = 1.0
TAKEN_AT_THE_END_WITHIN = 2.0
SHOWN = 500


class Consumer:
    """`redis` must not decode: a message may be anything. `counts` has how many messages were handled and refused."""

    def __init__(self, bus: MessageBus, redis: Redis, stop: Stop) -> None:
        self.counts = Counter[str]()
        self._bus = bus
        self._redis = redis
        self._stop = stop

    def run(self) -> None:
        """Consume until it is to stop, and then what has come already. A Redis that goes away is waited for."""
        while not self._stop.requested:
            try:
                self._listen()
            except RedisError as error:
                logger.warning("The consumer subscribes again in a second; what comes until then is lost: %s", error)
                self._stop.wait(PAUSE)
        logger.info("The consumer ends: %s handled, %s refused", self.counts["handled"], self.counts["refused"])

    def _listen(self) -> None:
        with self._redis.pubsub(ignore_subscribe_messages=True) as messages:
            messages.subscribe(CHANNEL)
            logger.info("The consumer listens on %s", CHANNEL)
            while not self._stop.requested:
                self._take_next(messages, POLL)
            messages.unsubscribe(CHANNEL)
            deadline = time.monotonic() + TAKEN_AT_THE_END_WITHIN
            while time.monotonic() < deadline and self._take_next(messages, POLL):
                pass

    def _take_next(self, messages: PubSub, timeout: float) -> bool:
        """Whether there was one."""
        message = messages.get_message(timeout=timeout)
        if message is not None:
            self._take(message["data"])
        return message is not None

    def _take(self, data: bytes) -> None:
        """Handle a message. One that can't be handled is logged and counted, and is nobody else's trouble."""
        try:
            self._handle(data)
        except (BadCommand, Refusal, StoreUnavailable) as error:
            self._refuse(data, str(error))
        except Exception:
            logger.exception("A message could not be handled for a reason of our own")
            self._refuse(data, "see above")
        else:
            self.counts["handled"] += 1

    def _handle(self, data: bytes) -> None:
        """Wait for a database that is away, as long as it takes: nobody will send the message again."""
        command = bodies.from_json(bodies.ChangeBatchQuantity, data)
        while True:
            try:
                self._bus.handle(command)
                return
            except StoreUnavailable as error:
                logger.warning("The consumer tries %r again in a second: %s", command, error)
                if self._stop.wait(PAUSE):
                    raise

    def _refuse(self, data: bytes, reason: str) -> None:
        self.counts["refused"] += 1
        shown = repr(data[:SHOWN]) + ("…" if len(data) > SHOWN else "")
        logger.error(
            "Message %s on %s was refused: %s: %s",
            self.counts["refused"],
            CHANNEL,
            reason,
            shown,
            extra={"channel": CHANNEL, "refused": self.counts["refused"]},
        )
