"""Group commit: requests that arrive while a transaction is running share the next one.

A transaction costs far more than a decision. So requests of one command type have a lane, in which one transaction runs
at a time. A request that finds its lane idle runs at once. The others queue behind the running commit and then share
the next one. No request waits for others to join it.

The message bus calls `GroupCommit.execute`. That calls back into the bus: `commit_group` for the requests of a lane,
and `execute_alone` for a request that can't share a transaction.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock

from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.idempotency import StillRunning
from allocation.service_layer.outcomes import Outcome
from allocation.service_layer.unit_of_work import Busy

logger = logging.getLogger(__name__)

LONGEST_QUEUEING = 0.5
"""Seconds in the queue after which a request runs alone: the commit before it takes unusually long."""

CommitGroup = Callable[[Sequence[CommandRequest]], Sequence[Outcome]]
"""Executes a group in one transaction. Raises Busy if another transaction holds a lock."""
TryGroup = Callable[[Sequence[CommandRequest]], Sequence[Outcome] | None]
"""The same, but returns None if the group failed: nothing has changed, and each request must run alone."""
ExecuteAlone = Callable[[CommandRequest], Outcome]


class Ticket:
    """A request in a lane. Its thread sleeps until it has an outcome, leads a group, or must run alone."""

    __slots__ = ("_awake", "exclusive", "group", "outcome", "request")

    def __init__(self, request: CommandRequest) -> None:
        self.request = request
        self.exclusive = request.locks.exclusive
        self.group: list[Ticket] = []
        self.outcome: Outcome | None = None
        self._awake = Lock()
        self._awake.acquire()

    def sleep(self, seconds: float = -1) -> bool:
        """Sleep until another thread wakes this one. Return False if the time was up before."""
        return self._awake.acquire(timeout=seconds)

    def wake(self) -> None:
        self._awake.release()


class Lane:
    """The queue of one command type. A request waits for at most ⌈requests ahead of it / most⌉ + 1 commits.

    A request that names the same line, batch or key as another also waits for that one's commit.
    """

    def __init__(self, try_group: TryGroup, most: int) -> None:
        self._try_group = try_group
        self._most = most
        self._lock = Lock()
        self._running = False
        self._queue = deque[Ticket]()

    def execute(self, request: CommandRequest) -> Outcome | None:
        """Return the outcome of the request, or None if it must run alone."""
        ticket = Ticket(request)
        if not self._start_if_idle(ticket):
            self._await_turn(ticket)
        if ticket.group:
            self._lead(ticket.group)
        return ticket.outcome

    def _start_if_idle(self, ticket: Ticket) -> bool:
        """Make the ticket a group of its own if the lane is idle. Otherwise queue it."""
        with self._lock:
            if self._running:
                self._queue.append(ticket)
                return False
            self._running = True
            ticket.group = [ticket]
            return True

    def _await_turn(self, ticket: Ticket) -> None:
        """Return when the ticket leads a group, has an outcome, or has left the lane to run alone."""
        woken = ticket.sleep(LONGEST_QUEUEING)
        if woken:
            return
        left = self._leave(ticket)
        if not left:
            ticket.sleep()  # A group took the ticket at this very moment.

    def _leave(self, ticket: Ticket) -> bool:
        """Take the ticket off the queue. Return False if a group has taken it already."""
        with self._lock:
            if ticket not in self._queue:
                return False
            self._queue.remove(ticket)
            return True

    def _lead(self, group: Sequence[Ticket]) -> None:
        """Execute the group, start the next one, and wake the other members."""
        try:
            outcomes = self._try_group([ticket.request for ticket in group])
            for ticket, outcome in zip(group, outcomes or (), strict=bool(outcomes)):
                ticket.outcome = outcome
        finally:
            self._start_next_group()
            for ticket in group[1:]:
                ticket.wake()

    def _start_next_group(self) -> None:
        """Make the oldest ticket the leader of the next group and wake it."""
        with self._lock:
            group = self._take_group()
            self._running = bool(group)
        if group:
            group[0].group = group
            group[0].wake()

    def _take_group(self) -> list[Ticket]:
        group, passed_over, named = list[Ticket](), list[Ticket](), set[object]()
        while self._queue and len(group) < self._most:
            ticket = self._queue.popleft()
            (group if named.isdisjoint(ticket.exclusive) else passed_over).append(ticket)
            named |= ticket.exclusive
        self._queue.extendleft(reversed(passed_over))
        return group


class GroupCommit:
    """One lane per command type. Any number of threads may share it."""

    def __init__(self, commit_group: CommitGroup, execute_alone: ExecuteAlone, most: int) -> None:
        self._commit_group = commit_group
        self._execute_alone = execute_alone
        self._lanes = {command_type: Lane(self._try_group, most) for command_type in COMMAND_HANDLERS}
        self._lock = Lock()
        self._blocked = frozenset[object]()

    def execute(self, request: CommandRequest) -> Outcome:
        """Execute the request in its lane, or alone if it may not share a transaction."""
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
            logger.warning("A group of %s commands failed. Each runs alone now", len(group), exc_info=error)
        return None

    def _go_alone(self, request: CommandRequest) -> Outcome:
        outcome = self._execute_alone(request)
        if not isinstance(outcome, Busy | StillRunning):
            self._unblock(request.locks.contended)
        return outcome

    def _block(self, names: frozenset[object]) -> None:
        """Run requests with one of these names alone from now on, so that they delay no others."""
        with self._lock:
            self._blocked |= names

    def _unblock(self, names: frozenset[object]) -> None:
        if not self._blocked.isdisjoint(names):
            with self._lock:
                self._blocked -= names
