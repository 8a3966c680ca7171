"""Group commit: requests that arrive while a transaction is running share the next transaction.

A transaction costs far more than a handler. So each command type has a lane, and a lane runs one transaction at a time.
If the lane is idle, a request runs immediately. Otherwise it queues behind the running transaction. The queued requests
then share the next transaction. No request waits for other requests to join it.

The message bus calls `GroupCommit.execute`, which calls back into the bus. `commit_group` executes a group of requests.
`execute_alone` executes a request that can't share a transaction.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock

from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.idempotency import StillRunning
from allocation.service_layer.outcomes import Outcome
from allocation.service_layer.unit_of_work import Busy, StoreUnavailable

logger = logging.getLogger(__name__)

LONGEST_QUEUEING = 0.5
"""A request leaves the queue after this many seconds and runs alone, because the running commit is unusually slow."""

CommitGroup = Callable[[Sequence[CommandRequest]], Sequence[Outcome]]
"""Executes a group in one transaction and returns an outcome for each request.

Raises Busy if another transaction holds a lock for too long.
"""
TryGroup = Callable[[Sequence[CommandRequest]], Sequence[Outcome] | None]
"""Executes a group like CommitGroup. Returns None if the transaction failed and each request must run alone.

If a group of one request fails with an error other than Busy, returns the error as its outcome.
"""
ExecuteAlone = Callable[[CommandRequest], Outcome]
"""Executes a request in a transaction of its own. Returns an error as the outcome."""


class Ticket:
    """A request in a lane. Its thread sleeps until the ticket has an outcome, leads a group, or must run alone.

    `group` is empty unless the ticket leads a group.
    """

    __slots__ = ("_awake", "exclusive", "group", "outcome", "request")

    def __init__(self, request: CommandRequest) -> None:
        self.request = request
        self.exclusive = request.locks.exclusive
        self.group: list[Ticket] = []
        self.outcome: Outcome | None = None
        self._awake = Lock()
        self._awake.acquire()

    def sleep(self, seconds: float = -1) -> bool:
        """Sleep until another thread calls `wake`. Return False if `seconds` pass first. The default is no limit."""
        return self._awake.acquire(timeout=seconds)

    def wake(self) -> None:
        self._awake.release()


class Lane:
    """The queue of one command type. A request waits for at most ⌈requests ahead of it / most⌉ + 1 commits.

    If an earlier request names the same line, batch or key, the later request also waits for that request's commit.
    """

    def __init__(self, try_group: TryGroup, most: int) -> None:
        self._try_group = try_group
        self._most = most
        self._lock = Lock()
        self._running = False
        self._queue = deque[Ticket]()

    def execute(self, request: CommandRequest) -> Outcome | None:
        """Return the outcome of the request, or None if the request must run alone."""
        ticket = Ticket(request)
        if not self._start_if_idle(ticket):
            self._await_turn(ticket)
        if ticket.group:
            self._lead(ticket.group)
        return ticket.outcome

    def _start_if_idle(self, ticket: Ticket) -> bool:
        """If the lane is idle, make the ticket a group of one and return True. Otherwise queue it and return False."""
        with self._lock:
            if self._running:
                self._queue.append(ticket)
                return False
            self._running = True
            ticket.group = [ticket]
            return True

    def _await_turn(self, ticket: Ticket) -> None:
        """Return when the ticket leads a group, has an outcome, or must run alone."""
        woken = ticket.sleep(LONGEST_QUEUEING)
        if woken:
            return
        left = self._leave(ticket)
        if not left:
            ticket.sleep()  # A group already contains the ticket, so another thread will wake this thread.

    def _leave(self, ticket: Ticket) -> bool:
        """Remove the ticket from the queue. Return False if a group already contains the ticket."""
        with self._lock:
            if ticket not in self._queue:
                return False
            self._queue.remove(ticket)
            return True

    def _lead(self, group: Sequence[Ticket]) -> None:
        """Execute the group, start the next group, and wake the other members."""
        try:
            outcomes = self._try_group([ticket.request for ticket in group])
            for ticket, outcome in zip(group, outcomes or (), strict=bool(outcomes)):
                ticket.outcome = outcome
        finally:
            self._start_next_group()
            for ticket in group[1:]:
                ticket.wake()

    def _start_next_group(self) -> None:
        """Make the oldest ticket the leader of the next group and wake it. If the queue is empty, the lane is idle."""
        with self._lock:
            group = self._dequeue_group()
            self._running = bool(group)
        if group:
            group[0].group = group
            group[0].wake()

    def _dequeue_group(self) -> list[Ticket]:
        """Remove the next group from the queue. Return an empty list if the queue is empty."""
        group, left_over, named = list[Ticket](), list[Ticket](), set[object]()
        while self._queue and len(group) < self._most:
            ticket = self._queue.popleft()
            (group if named.isdisjoint(ticket.exclusive) else left_over).append(ticket)
            named |= ticket.exclusive
        self._queue.extendleft(reversed(left_over))
        return group


class GroupCommit:
    """Executes requests in one lane per command type. Any number of threads may share one GroupCommit."""

    def __init__(self, commit_group: CommitGroup, execute_alone: ExecuteAlone, most: int) -> None:
        self._commit_group = commit_group
        self._execute_alone = execute_alone
        self._lanes = {command_type: Lane(self._try_group, most) for command_type in COMMAND_HANDLERS}
        self._lock = Lock()
        self._blocked = frozenset[object]()

    def execute(self, request: CommandRequest) -> Outcome:
        """Execute the request in its lane, or alone if it can't share a transaction. Return an error as the outcome."""
        locks = request.locks
        if locks.needs_own_transaction or not self._blocked.isdisjoint(locks.contended):
            return self._go_alone(request)
        outcome = self._lanes[type(request.command)].execute(request)
        return self._go_alone(request) if outcome is None else outcome

    def _try_group(self, group: Sequence[CommandRequest]) -> Sequence[Outcome] | None:
        try:
            return self._commit_group(group)
        except Busy:
            self._block(frozenset[object]().union(*(request.locks.contended for request in group)))
        except Exception as error:
            if len(group) == 1:
                return [error]
            if not isinstance(error, StoreUnavailable):
                message = "A group of %s commands failed. Executing each command alone"
                logger.warning(message, len(group), exc_info=error)
        return None

    def _go_alone(self, request: CommandRequest) -> Outcome:
        outcome = self._execute_alone(request)
        if not isinstance(outcome, Busy | StillRunning):
            self._unblock(request.locks.contended)
        return outcome

    def _block(self, names: frozenset[object]) -> None:
        """Execute requests with one of these names alone from now on, so that they do not delay other requests."""
        with self._lock:
            self._blocked |= names

    def _unblock(self, names: frozenset[object]) -> None:
        if not self._blocked.isdisjoint(names):
            with self._lock:
                self._blocked -= names
