import signal
import time

POLL = 0.05


class Shutdown:
    """Records that the process must stop.

    It is a plain flag without a lock. A signal handler must not wait for a lock, because the interrupted code may hold
    that lock.
    """

    def __init__(self) -> None:
        self.requested = False

    def on(self, *signals: signal.Signals) -> None:
        """Request the shutdown when the process receives one of these signals."""
        for number in signals:
            signal.signal(number, lambda *_: self.request())

    def request(self) -> None:
        self.requested = True

    def wait(self, seconds: float) -> bool:
        """Wait for `seconds`, or until the shutdown is requested. Return True if the shutdown is requested."""
        deadline = time.monotonic() + seconds
        while not self.requested and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, POLL))
        return self.requested

    def check(self) -> None:
        """Raise ShutdownRequested if the shutdown is requested."""
        if self.requested:
            raise ShutdownRequested


class ShutdownRequested(Exception):
    """A shutdown was requested, so the process must stop its work."""
