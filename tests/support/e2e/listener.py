import json
import threading
from collections.abc import Callable
from typing import Any

from redis import Redis

from tests.support.eventually import eventually

CHANNEL = "line_allocated"
Announcement = dict[str, Any]


class Listener:
    """Collects the announcements of allocated lines from now on. Calls `react` with each one as it arrives."""

    def __init__(self, redis: Redis, react: Callable[[Announcement], None] = lambda _: None) -> None:
        self.announcements: list[Announcement] = []
        self._messages = redis.pubsub(ignore_subscribe_messages=True)
        self._messages.subscribe(CHANNEL)
        self._react = react
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        eventually(lambda: redis.pubsub_numsub(CHANNEL)[0][1])

    def batches(self) -> list[tuple[str, str]]:
        """Return (order id, batch reference) of each announcement, in the order of arrival."""
        return [(announcement["orderid"], announcement["batchref"]) for announcement in self.announcements]

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._messages.close()

    def _listen(self) -> None:
        while not self._done.is_set():
            message = self._messages.get_message(timeout=0.05)
            if message is not None:
                self.announcements.append(json.loads(message["data"]))
                self._react(self.announcements[-1])
