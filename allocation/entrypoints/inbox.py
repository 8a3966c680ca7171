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
from readmodel.outage import Outage

logger = logging.getLogger(__name__)

POLL = 0.25
PAUSE = 1.0
PING_AFTER = 5.0
PONG_WITHIN = 5.0
MOST_BYTES = 100_000_000
"""Bytes of messages that wait. A million short messages have about 50 MB, and need 84 MB of memory."""
LOST = "The consumer does not listen on {}, and subscribes again every second. Redis drops the messages until then"


class Inbox(threading.Thread):
    """A thread that receives messages even while their handler is slow. So it notices a lost connection immediately.

    It pings an idle connection. Otherwise a proxy that drops data silently would look like a channel without messages.
    """

    def __init__(self, redis: Redis, channel: str, shutdown: Shutdown) -> None:
        super().__init__(name=f"inbox of {channel}", daemon=True)
        self._redis = redis
        self._channel = channel
        self._shutdown = shutdown
        self._messages = SimpleQueue[bytes]()
        self._received, self._taken = 0, 0  # Bytes. Each of the two threads writes only one of them.
        self._lost = Outage(logger)
        self._dropped: int | None = None
        self._failure: Exception | None = None

    @property
    def waiting(self) -> int:
        """Return the number of messages that nobody has taken yet."""
        return self._messages.qsize()

    def next(self, timeout: float) -> bytes | None:
        """Wait up to `timeout` seconds for the next message. Return None if none arrives.

        Raise the error of the thread if a bug has ended it.
        """
        try:
            data = self._messages.get(timeout=timeout)
        except Empty:
            if self._failure is not None:
                raise self._failure from None
            return None
        self._taken += len(data)
        return data

    def run(self) -> None:
        """Receive until the shutdown. If the connection is lost, log that and subscribe again."""
        try:
            while not self._shutdown.requested:
                self._listen_until_lost()
        except Exception as error:
            self._failure = error

    def _listen_until_lost(self) -> None:
        try:
            self._listen()
        except RedisError as error:
            self._lost.failed(LOST.format(self._channel), error)
            self._shutdown.wait(PAUSE)

    def _listen(self) -> None:
        with self._redis.pubsub() as subscription:
            subscription.subscribe(self._channel)
            heard, pinged = time.monotonic(), False
            while not self._shutdown.requested:
                idle = time.monotonic() - heard
                if self._receive(subscription):
                    heard, pinged = time.monotonic(), False
                elif idle > PING_AFTER + PONG_WITHIN:
                    raise ConnectionLost(f"Redis did not answer a ping within {PONG_WITHIN:.0f} seconds")
                elif idle > PING_AFTER and not pinged:
                    subscription.ping()
                    pinged = True
            subscription.unsubscribe(self._channel)
            while self._receive(subscription):
                pass

    def _receive(self, subscription: PubSub) -> bool:
        """Return True if something arrived: a message, the answer to a ping, or a confirmation."""
        message = subscription.get_message(timeout=POLL)
        if message is None:
            return False
        if message["type"] == "message":
            self._keep(message["data"])
        elif message["type"] == "subscribe" and not self._lost.over(f"The consumer listens on {self._channel}"):
            logger.info("The consumer listens on %s", self._channel)
        return True

    def _keep(self, data: bytes) -> None:
        """Keep the message, or drop it while too many wait. The gap between the two limits keeps the log short."""
        waiting = self._received - self._taken
        if waiting > (MOST_BYTES if self._dropped is None else MOST_BYTES // 2):
            if self._dropped is None:
                logger.error("Messages on %s are dropped, because %s messages wait", self._channel, self.waiting)
            self._dropped = (self._dropped or 0) + 1
            return
        if self._dropped is not None:
            logger.error("Dropped messages on %s: %s", self._channel, self._dropped)
            self._dropped = None
        self._received += len(data)
        self._messages.put(data)
