"""The fast path: the committing process applies its events right after the commit."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

from redis.exceptions import RedisError

from readmodel.outage import Outage
from readmodel.projector.fold import Projection
from readmodel.store.errors import ModelAbsent
from readmodel.store.store import Store

logger = logging.getLogger(__name__)

TIMEOUT = 0.25
PAUSE = 1.0
APPLIED_AT_ONCE = 1_000


class Committed(Protocol):
    """The events of a commit, and the identity of their log."""

    @property
    def events(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def identity(self) -> str: ...


class FastPath:
    """Applies the events of a commit, and does not retry.

    It only logs failures: the command has succeeded, and the relay applies the same events. After an error of Redis it
    pauses for a second, so that a slow Redis does not delay every command. Any number of threads may share it.
    """

    def __init__(self, store: Store, projection: Projection, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._projection = projection
        self._clock = clock
        self._paused_until = clock()
        self._outage = Outage(logger, clock)

    def __call__(self, committed: Committed) -> None:
        """Apply the events of a commit."""
        if self._clock() < self._paused_until:
            return
        try:
            registers = iter(self._projection.fold(committed.events))
            while part := list(islice(registers, APPLIED_AT_ONCE)):
                self._store.apply(part, committed.identity)
            self._outage.over("Commands update the views")
        except RedisError as error:
            self._paused_until = self._clock() + PAUSE
            self._outage.failed("Commands do not update the views now. The relay updates them later", error)
        except ModelAbsent as error:
            # No pause: a try costs one round trip, and the next command must update the model that the relay rebuilds.
            self._outage.failed("Commands do not update the views now. The relay rebuilds them", error)
