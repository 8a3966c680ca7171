import logging
import time
from collections.abc import Callable


class Outage:
    """Logs when a store becomes unavailable and when it is back, and not every try in between."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._since: float | None = None
        self._reason = ""

    def failed(self, what: str, reason: object) -> None:
        """Log the first failure, and each one with another reason. `what` is what happens now."""
        if self._since is None or str(reason) != self._reason:
            self._logger.warning("%s: %s", what, reason)
        self._since = self._since or self._clock()
        self._reason = str(reason)

    def over(self, what: str) -> None:
        """Log how long the outage took, if there was one."""
        if self._since is not None:
            self._logger.info("%s again after %.0f s", what, self._clock() - self._since)
            self._since = None
