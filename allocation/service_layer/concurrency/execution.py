"""Executes groups of requests around the locks that other transactions hold.

A group first waits for its locks together, and briefly. If another transaction holds one of them for longer, the group
splits: the requests for each product try alone. Requests whose locks are free succeed at once. The others try a second
time. If their locks have been held for half a second, their names are blocked: see `lock_waiters.py`.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby

from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.concurrency.lock_waiters import LockWaiters, Names
from allocation.service_layer.idempotency import StillRunning
from allocation.service_layer.outcomes import Outcome
from allocation.service_layer.unit_of_work import Busy, LockWait, StoreUnavailable

logger = logging.getLogger(__name__)

MOST_IDS = 20
LONGEST_STAGE = 0.5
"""Seconds for all parts of a group. After that, each part waits for 10 ms only: a group may need many held locks."""

Commit = Callable[[Sequence[CommandRequest], LockWait], Sequence[Outcome]]
"""Executes a group in one transaction. Raises Busy or StillRunning if it waits for a lock for too long."""


class Execution:
    """Any number of threads may share it. Errors are outcomes."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._waiters = LockWaiters()

    def execute(self, group: Sequence[CommandRequest]) -> Sequence[Outcome]:
        """Execute the requests that need no held lock, in one transaction if possible.

        The outcome of a request that needs a held lock is Busy or StillRunning. Its names are blocked.
        """
        locked = {id(request): error for request in group if (error := self.error_of(request))}
        free = [request for request in group if id(request) not in locked]
        outcomes = iter(self._execute(free)) if free else iter(())
        return [locked.get(id(request)) or next(outcomes) for request in group]

    def execute_alone(self, request: CommandRequest) -> Outcome:
        """Execute one request, and wait for held locks as `wait` does."""
        [outcome] = self.execute([request])
        return self.wait(request, outcome) if isinstance(outcome, Busy | StillRunning) else outcome

    def error_of(self, request: CommandRequest) -> Busy | StillRunning | None:
        """Return the error of a request whose names are blocked, or None."""
        return self._waiters.error_of(request.locks.contended) if self._waiters.has_blocked_names else None

    def wait(self, request: CommandRequest, error: Busy | StillRunning) -> Outcome:
        """Execute a request that needs a held lock. Return `error` if too many threads already wait for locks."""
        try:
            return self._waiters.wait(request.locks.contended, error, partial(self._commit_alone, request))
        except Exception as failed:
            return failed

    def wait_in_background(
        self, request: CommandRequest, error: Busy | StillRunning, done: Callable[[Outcome], None]
    ) -> None:
        """Do the same in another thread, and call `done` with the outcome."""
        work = partial(self._commit_alone, request)
        self._waiters.wait_in_background(request.locks.contended, error, work, done)

    def _commit_alone(self, request: CommandRequest) -> Outcome:
        [outcome] = self._commit([request], LockWait.FULL)
        return outcome

    def _execute(self, group: Sequence[CommandRequest]) -> Sequence[Outcome]:
        """Execute the group, and then its locked requests in smaller parts. Block the names that stay locked."""
        outcomes: dict[int, Outcome] = {}
        parts = [group]
        for wait in (LockWait.FIRST, LockWait.PROBE, LockWait.SECOND):
            deadline = time.monotonic() + LONGEST_STAGE
            for part in parts:
                found = self._attempt(part, wait if time.monotonic() < deadline else LockWait.PROBE)
                outcomes.update(zip(map(id, part), found, strict=True))
            locked = [request for request in group if isinstance(outcomes[id(request)], Busy | StillRunning)]
            parts = split(locked, outcomes)
        for request in locked:
            error = outcomes[id(request)]
            if isinstance(error, Busy | StillRunning):
                self._waiters.block(blocked_names(request, error), error)
        return [outcomes[id(request)] for request in group]

    def _attempt(self, part: Sequence[CommandRequest], wait: LockWait) -> Sequence[Outcome]:
        try:
            return self._commit(part, wait)
        except (StillRunning, StoreUnavailable) as error:
            return [error] * len(part)
        except Exception as error:
            if len(part) == 1:
                return [error]
            ids = [request.origin.correlation_id for request in part[:MOST_IDS]]
            message = "A group of %s commands failed. Executing each command alone"
            logger.exception(message, len(part), extra={"correlation_ids": ids})
            return [outcome for request in part for outcome in self._attempt([request], wait)]


def split(locked: Sequence[CommandRequest], outcomes: Mapping[int, Outcome]) -> list[Sequence[CommandRequest]]:
    """Split the locked requests into parts: those that name the same products, or each one whose key is locked."""

    def same_locks(request: CommandRequest) -> tuple[list[str], int]:
        by_key = isinstance(outcomes[id(request)], StillRunning)
        return sorted(request.locks.skus), id(request) if by_key else 0

    return [list(part) for _, part in groupby(sorted(locked, key=same_locks), key=same_locks)]


def blocked_names(request: CommandRequest, error: Busy | StillRunning) -> Names:
    """Return the names of the request that may be locked: its idempotency key, or all its other names."""
    keys = frozenset[object](key.primary_key for key in request.locks.idempotency_keys)
    return keys if isinstance(error, StillRunning) else request.locks.contended - keys
