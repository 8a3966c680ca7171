"""The fast path: a commit's events applied right after it, by the process that committed."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from redis.exceptions import RedisError

from readmodel.projector.fold import fold
from readmodel.store.store import ModelAbsent, Store

logger = logging.getLogger(__name__)

TIMEOUT = 0.25
REST = 1.0
APPLIED_AT_ONCE = 1_000


class FastPath:
    """Tries once. The command has succeeded already, so a failure is only logged: the relay applies the same events.

    After a failure it rests for a second, so that a Redis that is away or slow does not hold up every command. May be
    shared between threads.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._resting_until = clock()

    def __call__(self, events: Sequence[Mapping[str, Any]]) -> None:
        if self._clock() < self._resting_until:
            return
        try:
            registers = iter(fold(events))
            while part := list(islice(registers, APPLIED_AT_ONCE)):
                self._store.apply(part)
        except (RedisError, ModelAbsent) as error:
            self._resting_until = self._clock() + REST
            logger.warning(
                "The views could not be updated right after a commit; the relay will do it (%s)",
                error,
            )
