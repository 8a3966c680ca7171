import signal
import time

LOOK = 0.05


class Stop:
    """Whether somebody has asked this process to end.

    A plain flag: a signal handler runs in the middle of anything, and a lock that it took could be held by what it
    interrupts.
    """

    def __init__(self) -> None:
        self.requested = False

    def on(self, *signals: signal.Signals) -> None:
        for number in signals:
            signal.signal(number, lambda *_: self.request())

    def request(self) -> None:
        self.requested = True

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the end is asked for; return whether it is."""
        deadline = time.monotonic() + seconds
        while not self.requested and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, LOOK))
        return self.requested

    def check(self) -> None:
        """Raise Stopped where the end is asked for."""
        if self.requested:
            raise Stopped


class Stopped(Exception):
    """This process was asked to end while it was at work."""
