"""Receives the messages of a Redis channel, and keeps the subscription alive."""

import logging
import threading
import time
from queue import Empty, SimpleQueue

from redis import Redis
from redis.client import PubSub
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisError

from allocation.shutdown import Shutdown

logger = logging.getLogger(__name__)

POLL = 0.25
PAUSE = 1.0
PING_AFTER = 5.0
PONG_WITHIN = 5.0
MOST_KEPT = 1_000_000
"""Messages. A million of them take half a gigabyte."""


class Inbox(threading.Thread):
    """A thread that reads messages at once, however slow their handler is. So it notices a lost connection at once.

    It pings an idle connection: a proxy that swallows data would otherwise look like a channel without messages.
    """

    def __init__(self, redis: Redis, channel: str, shutdown: Shutdown) -> None:
        super().__init__(name=f"inbox of {channel}", daemon=True)
        self._redis = redis
        self._channel = channel
        self._shutdown = shutdown
        self._messages = SimpleQueue[bytes]()
        self._dropped = 0

    def next(self, timeout: float) -> bytes | None:
        """Wait up to `timeout` seconds for the next message. Return None if none arrives."""
        try:
            return self._messages.get(timeout=timeout)
        except Empty:
            return None

    def run(self) -> None:
        """Receive until the shutdown. If the connection is lost, log that and subscribe again."""
        while not self._shutdown.requested:
            try:
                self._listen()
            except RedisError as error:
                logger.warning(
                    "The subscription to %s was lost. It is renewed in a second. Messages until then are lost: %s",
                    self._channel,
                    error,
                )
                self._shutdown.wait(PAUSE)

    def _listen(self) -> None:
        with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
            subscription.subscribe(self._channel)
            logger.info("The consumer listens on %s", self._channel)
            heard = time.monotonic()
            while not self._shutdown.requested:
                heard = time.monotonic() if self._receive(subscription) else heard
                idle = time.monotonic() - heard
                if idle > PING_AFTER + PONG_WITHIN:
                    raise ConnectionLost(f"Redis did not answer a ping within {PONG_WITHIN:.0f} seconds")
                if idle > PING_AFTER:
                    subscription.ping()
            subscription.unsubscribe(self._channel)
            while self._receive(subscription):
                pass

    def _receive(self, subscription: PubSub) -> bool:
        """Return whether anything came: a message, or the answer to a ping."""
        message = subscription.get_message(timeout=POLL)
        if message is not None and message["type"] == "message":
            self._keep(message["data"])
        return message is not None

    def _keep(self, data: bytes) -> None:
        if self._messages.qsize() < MOST_KEPT:
            self._messages.put(data)
        else:
            self._dropped += 1
            logger.error("%s messages on %s were dropped: too many wait to be handled", self._dropped, self._channel)
