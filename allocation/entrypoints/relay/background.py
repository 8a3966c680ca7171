"""A thread that works beside the relay."""

import threading
from abc import ABC, abstractmethod

from allocation.shutdown import Shutdown


class BackgroundThread(threading.Thread, ABC):
    """A thread of the relay. However slow it is, it delays nothing else. The relay sets `news` after new events."""

    def __init__(self, name: str, shutdown: Shutdown) -> None:
        super().__init__(name=name, daemon=True)
        self.news = threading.Event()
        self.failure: Exception | None = None
        self.shutdown = shutdown

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:
            self.failure = error  # A bug: the relay raises it and ends, and its supervisor restarts it.

    @abstractmethod
    def work(self) -> None:
        """Work until the shutdown. If a store is unavailable, wait for it."""
