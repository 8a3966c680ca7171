import signal
import time

POLL = 0.05


class Shutdown:
    """Whether somebody has asked this process to end.

    It is a plain flag. A signal handler can run in the middle of anything, so it must not take a lock: the code that it
    interrupts may hold that lock.
    """

    def __init__(self) -> None:
        self.requested = False

    def on(self, *signals: signal.Signals) -> None:
        """Request the shutdown when the process gets one of these signals."""
        for number in signals:
            signal.signal(number, lambda *_: self.request())

    def request(self) -> None:
        self.requested = True

    def wait(self, seconds: float) -> bool:
        """Wait until the time is up or the shutdown is requested. Return whether it is."""
        deadline = time.monotonic() + seconds
        while not self.requested and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, POLL))
        return self.requested

    def check(self) -> None:
        """Raise ShutdownRequested if the shutdown is requested."""
        if self.requested:
            raise ShutdownRequested


class ShutdownRequested(Exception):
    """Somebody asked this process to end while it was at work."""
