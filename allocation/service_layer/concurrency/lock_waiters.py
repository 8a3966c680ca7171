"""Limits how many threads wait for locks that other transactions hold for long.

Every request first waits briefly, in a group or alone. If that is not enough, its names are blocked. From then on, at
most MOST threads wait for blocked names, and every further request with such a name fails at once. So a product that
another transaction holds delays no other product.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from allocation.service_layer.idempotency import StillRunning
from allocation.service_layer.unit_of_work import Busy

MOST = 4
FORGOTTEN_AFTER = 1.0
"""Seconds after which a blocked name counts as free again, unless a thread waits for it."""

Locked = Busy | StillRunning
"""The error of a request that has waited for a lock of another transaction."""
Names = frozenset[object]

T = TypeVar("T")


class LockWaiters:
    """The names that other transactions hold, and the threads that wait for them. Any number of threads may share it.

    A name is free again when a request with this name no longer meets a lock. It is also free FORGOTTEN_AFTER seconds
    after it was blocked, if no thread waits for it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._blocked: Mapping[object, tuple[Locked, float]] = {}
        self._waiting = Counter[object]()
        self._waiters = 0
        self._pool = ThreadPoolExecutor(MOST, "lock-waiter")

    def block(self, names: Names, error: Locked) -> None:
        now = time.monotonic()
        with self._lock:
            kept = {name: found for name, found in self._blocked.items() if self._still_counts(name, found[1])}
            self._blocked = {**kept, **dict.fromkeys(names, (error.with_traceback(None), now))}

    @property
    def has_blocked_names(self) -> bool:
        return bool(self._blocked)

    def error_of(self, names: Names) -> Locked | None:
        """Return the error with which one of these names was blocked, or None if no name is blocked."""
        blocked = self._blocked
        for name in names if blocked else ():
            error, since = blocked.get(name, (None, 0.0))
            if error is not None and self._still_counts(name, since):
                return error
        return None

    def _still_counts(self, name: object, since: float) -> bool:
        return self._waiting[name] > 0 or time.monotonic() - since < FORGOTTEN_AFTER

    def wait(self, names: Names, error: Locked, work: Callable[[], T]) -> T:
        """Return the result of `work`, which waits for the names. Raise `error` if too many threads already wait."""
        if not self._enter(names):
            raise error
        with self._waits(names):
            return work()

    def wait_in_background(
        self, names: Names, error: Locked, work: Callable[[], T], done: Callable[[T | Exception], None]
    ) -> None:
        """Do the same in another thread, and call `done` with the result or the error."""
        if self._enter(names):
            self._pool.submit(self._work, names, work, done)
        else:
            done(error)

    def _work(self, names: Names, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        result: T | Exception
        try:
            with self._waits(names):
                result = work()
        except Exception as error:
            result = error
        done(result)

    def _enter(self, names: Names) -> bool:
        with self._lock:
            if self._waiters == MOST:
                return False
            self._waiters += 1
            self._waiting.update(names)
            return True

    @contextmanager
    def _waits(self, names: Names) -> Iterator[None]:
        still_locked = False
        try:
            yield
        except (Busy, StillRunning):
            still_locked = True
            raise
        finally:
            with self._lock:
                self._waiters -= 1
                self._waiting -= Counter(names)
                if not still_locked:
                    self._blocked = {name: found for name, found in self._blocked.items() if name not in names}
