"""What a relay does beside its views."""

import threading
from abc import ABC, abstractmethod

from allocation.shutdown import Stop


class Companion(threading.Thread, ABC):
    """A thread of the relay: however slow it is, it holds up nothing else. `news` is set when there are new events."""

    def __init__(self, name: str, stop: Stop) -> None:
        super().__init__(name=name, daemon=True)
        self.news = threading.Event()
        self.failure: Exception | None = None
        self.stop_asked = stop

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:
            self.failure = error  # A bug: the relay ends with it, and is started again.

    @abstractmethod
    def work(self) -> None:
        """Until it is to stop. What is away is waited for."""
