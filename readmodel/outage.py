import logging
import threading
import time
from collections.abc import Callable

MOST_REASONS = 20


class Outage:
    """Logs the start and the end of an outage, and not each retry. Any number of threads may share it."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._reasons = set[str]()

    def failed(self, effect: str, reason: object) -> None:
        """Log the effect with each new reason of this outage, up to MOST_REASONS."""
        with self._lock:
            if self._since is None:
                self._since = self._clock()
            is_new = str(reason) not in self._reasons and len(self._reasons) < MOST_REASONS
            if is_new:
                self._reasons.add(str(reason))
        if is_new:
            self._logger.warning("%s: %s", effect, reason)

    def over(self, effect: str) -> bool:
        """If there was an outage, log how long it took, and return True."""
        if self._since is None:
            return False
        with self._lock:
            since, self._since = self._since, None
            self._reasons.clear()
        if since is not None:
            self._logger.info("%s again after %.0f s", effect, self._clock() - since)
        return since is not None
