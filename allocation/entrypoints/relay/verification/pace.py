import time
from collections.abc import Callable

INTERVAL = 0.2
"""Seconds between two pages. A shorter interval costs more trips to the stores, and a longer one makes larger pages."""
LARGEST_PAGE = 500


class Pace:
    """Spreads small pages evenly over time, `rate` registers per second on average.

    Lost time leads to no burst: a page that lasted long delays the following pages.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.page = min(max(1, round(rate * INTERVAL)), LARGEST_PAGE)
        self._rate = rate
        self._clock = clock
        self._due = clock()

    def pause_after(self, registers: int) -> float:
        """Return the seconds to wait after a page with this number of registers. A small page counts as a full one."""
        now = self._clock()
        self._due = max(self._due, now - INTERVAL) + max(registers, self.page) / self._rate
        return max(0.0, self._due - now)
