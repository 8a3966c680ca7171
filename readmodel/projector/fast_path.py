"""The fast path: the committing process applies its events right after the commit."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from redis.exceptions import RedisError

from readmodel.projector.fold import Projection
from readmodel.store.errors import ModelAbsent
from readmodel.store.store import Store

logger = logging.getLogger(__name__)

TIMEOUT = 0.25
PAUSE = 1.0
APPLIED_AT_ONCE = 1_000


class FastPath:
    """Applies the events of a commit, and does not retry.

    It only logs a failure: the command has succeeded, and the relay applies the same events. After an error of Redis it
    pauses for a second, so that a slow Redis does not delay every command. Any number of threads may share it.
    """

    def __init__(self, store: Store, projection: Projection, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._projection = projection
        self._clock = clock
        self._paused_until = clock()
        self._silent_until = clock()

    def __call__(self, events: Sequence[Mapping[str, Any]]) -> None:
        if self._clock() < self._paused_until:
            return
        try:
            registers = iter(self._projection.fold(events))
            while part := list(islice(registers, APPLIED_AT_ONCE)):
                self._store.apply(part)
        except RedisError as error:
            self._paused_until = self._clock() + PAUSE
            logger.warning("The views were not updated after a commit. The relay updates them later: %s", error)
        except ModelAbsent as error:
            # No pause: a try costs one round trip, and the next command must update the model that the relay rebuilds.
            self._log_absence(error)

    def _log_absence(self, error: ModelAbsent) -> None:
        """Log at most one line in PAUSE seconds, because each try fails until the rebuild begins."""
        if self._clock() >= self._silent_until:
            self._silent_until = self._clock() + PAUSE
            logger.warning("The views were not updated after a commit. The relay rebuilds them: %s", error)
