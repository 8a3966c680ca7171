"""The base class of the relay's background threads."""

import threading
from abc import ABC, abstractmethod

from allocation.shutdown import Shutdown


class BackgroundThread(threading.Thread, ABC):
    """A thread that does one job of the relay. If the job is slow, it does not delay the other jobs.

    The relay sets `wake_up` when the log has new events. If `work` raises an error, `failure` holds that error, and the
    relay raises it.
    """

    def __init__(self, name: str, shutdown: Shutdown) -> None:
        super().__init__(name=name, daemon=True)
        self.wake_up = threading.Event()
        self.failure: Exception | None = None
        self.shutdown = shutdown

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:
            self.failure = error  # The error is a bug. The relay ends, and its supervisor restarts it.

    @abstractmethod
    def work(self) -> None:
        """Do the job until the shutdown. If a store is unavailable, retry after a pause."""
