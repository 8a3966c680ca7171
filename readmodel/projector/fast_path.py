"""The fast path: the committing process applies its events right after the commit."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from redis.exceptions import RedisError, ResponseError

from readmodel.outage import Outage
from readmodel.projector.faulty_events import fold_items
from readmodel.projector.fold import Projection
from readmodel.store.errors import ModelAbsent, UnknownFormat
from readmodel.store.formats import Format
from readmodel.store.functions import Write, is_missing_function
from readmodel.store.store import Store

logger = logging.getLogger(__name__)

TIMEOUT = 0.25
PAUSE = 1.0


class Committed(Protocol):
    """The events of a commit, and the identity of their log."""

    @property
    def events(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def identity(self) -> str: ...


class Observer:
    """Ignores everything. A subclass overrides what it needs.

    Any thread may call it. It must return at once, and must not raise.
    """

    def applied(self, events: int) -> None:
        """The views show so many events of a commit."""

    def failed(self, reason: str) -> None:
        """The views do not show the events of a commit. `reason` is one of REASONS."""


UNOBSERVED = Observer()
REASONS = ("paused", "unknown format", "redis", "views absent")


class FastPath:
    """Applies the events of a commit, and does not retry.

    It only logs failures: the command has succeeded, and the relay applies the same events. After an error of Redis it
    pauses for a second, so that a slow Redis does not delay every command. Any number of threads may share it.

    If the views can't apply an event, it applies the others. The relay parks that event.
    """

    def __init__(
        self,
        store: Store,
        projection: Projection,
        clock: Callable[[], float] = time.monotonic,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._store = store
        self._projection = projection
        self._clock = clock
        self._paused_until = clock()
        self._outage = Outage(logger, clock)
        self._observer = observer
        self._faults = Outage(logger, clock)

    def __call__(self, committed: Committed) -> None:
        """Apply the events of a commit."""
        if self._clock() < self._paused_until:
            self._observer.failed("paused")
            return
        try:
            self._apply(committed)
            self._observer.applied(len(committed.events))
            self._outage.over("Commands update the views")
        except UnknownFormat as error:
            self._observer.failed("unknown format")
            self._outage.failed("Commands do not update the views now", error)
        except RedisError as error:
            self._observer.failed("redis")
            self._paused_until = self._clock() + PAUSE
            self._outage.failed("Commands do not update the views now. The relay updates them later", error)
        except ModelAbsent as error:
            self._observer.failed("views absent")
            # No pause: a try costs one round trip, and the next command must update the model that the relay rebuilds.
            self._outage.failed("Commands do not update the views now. The relay rebuilds them", error)

    def _apply(self, committed: Committed) -> None:
        """Apply the events. If the server does not have the functions of this release yet, load them first."""
        fold = partial(self._fold, committed.events)
        try:
            self._store.apply(fold, committed.identity)
        except ResponseError as error:
            if not is_missing_function(error):
                raise
            self._store.install(self._projection.cached_members)
            self._store.apply(fold, committed.identity)

    def _fold(self, events: Sequence[Mapping[str, Any]], target: Format) -> list[Write]:
        folded = fold_items(self._projection, events, lambda event: event, target)
        if folded.faulty:
            self._observer.failed("faulty event")
        for _, reason in folded.faulty:  # The same reason appears once. The relay logs each event.
            self._faults.failed("Commands do not update the views with some events. The relay parks these", reason)
        return folded.writes
