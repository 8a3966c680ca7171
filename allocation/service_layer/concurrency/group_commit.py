"""Group commit: requests that arrive while a transaction is running share the next transaction.

A transaction costs far more than a handler. So each command type has a lane, and a lane usually runs one transaction at
a time. If the lane is idle, a request runs immediately. Otherwise it queues behind the running transaction. The queued
requests then share the next transaction. No request waits for other requests to join it.

A queued request needs no thread. The lanes share a few threads, and each thread commits group after group until the
queue of its lane is empty.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple

from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.concurrency.execution import Execution
from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.idempotency import StillRunning
from allocation.service_layer.outcomes import Outcome
from allocation.service_layer.unit_of_work import Busy

logger = logging.getLogger(__name__)

LONGEST_QUEUEING = 0.25
"""If a commit takes more seconds than this, the lane commits the queued requests beside it."""
MOST_AT_ONCE = 3
"""The most transactions of a lane at the same time."""
THREADS = len(COMMAND_HANDLERS)


class Ticket:
    """A request in a lane. `done` receives its outcome, once."""

    __slots__ = ("_done", "exclusive", "request")

    def __init__(self, request: CommandRequest, done: Callable[[Outcome], None]) -> None:
        self.request = request
        self.exclusive = request.locks.exclusive
        self._done: Callable[[Outcome], None] | None = done

    def answer(self, outcome: Outcome) -> None:
        """Pass the outcome on, unless the ticket already has one. If `done` raises, log its error."""
        done, self._done = self._done, None
        if done is not None:
            try:
                done(outcome)
            except Exception:  # The other tickets of the group must still get their outcomes.
                logger.exception("A client did not get the outcome of its command")


class Running(NamedTuple):
    """A group in a transaction: when it started, and its products."""

    since: float
    skus: frozenset[str]


class Lane:
    """The queue of one command type. A request waits for at most ⌈requests ahead of it / most⌉ + 1 commits.

    If an earlier request names the same line, batch or key, the later request also waits for that request's commit.
    """

    def __init__(self, execute: Callable[[Sequence[Ticket]], None], most: int, threads: Executor) -> None:
        self._execute = execute
        self._most = most
        self._threads = threads
        self._lock = threading.Lock()
        self._queue = deque[Ticket]()
        self._runs = 0
        self._running: dict[int, Running] = {}

    def add(self, ticket: Ticket) -> bool:
        """Queue the ticket, and start a commit if none is running. Return False if the ticket must wait."""
        with self._lock:
            self._queue.append(ticket)
            if self._runs:
                return False
            self._start()
            return True

    def relieve(self) -> bool:
        """If requests have queued behind a slow commit, start another one. Return True if requests are queued."""
        with self._lock:
            all_slow = len(self._slow_groups()) == self._runs
            if self._queue and all_slow and self._runs < MOST_AT_ONCE:
                self._start()
            return bool(self._queue)

    def _start(self) -> None:
        self._runs += 1
        self._threads.submit(self._run)

    def _run(self) -> None:
        while group := self._next_group():
            try:
                self._execute(group)
            except BaseException as error:
                failure = (
                    error if isinstance(error, Exception) else RuntimeError(f"A lane was interrupted by {error!r}")
                )
                for ticket in group:
                    ticket.answer(failure)

    def _next_group(self) -> list[Ticket]:
        """Remove the next group from the queue. Return an empty list if no request may start. Then the caller ends."""
        thread = threading.get_ident()
        with self._lock:
            self._running.pop(thread, None)
            group = self._dequeue_group()
            if group:
                skus = frozenset(sku for ticket in group for sku in ticket.request.locks.skus)
                self._running[thread] = Running(time.monotonic(), skus)
            else:
                self._runs -= 1
            return group

    def _slow_groups(self) -> list[Running]:
        now = time.monotonic()
        return [group for group in self._running.values() if now - group.since > LONGEST_QUEUEING]

    def _dequeue_group(self) -> list[Ticket]:
        """Remove the next group from the queue. Leave requests that would wait for the locks of a slow group."""
        group, left_over, named = list[Ticket](), list[Ticket](), set[object]()
        slow = frozenset(sku for running in self._slow_groups() for sku in running.skus)
        while self._queue and len(group) < self._most:
            ticket = self._queue.popleft()
            is_free = named.isdisjoint(ticket.exclusive) and slow.isdisjoint(ticket.request.locks.skus)
            (group if is_free else left_over).append(ticket)
            named |= ticket.exclusive
        self._queue.extendleft(reversed(left_over))
        return group


class GroupCommit:
    """Executes requests in one lane per command type. Any number of threads may share one GroupCommit."""

    def __init__(self, execution: Execution, most: int) -> None:
        self._execution = execution
        self._most = most
        threads = ThreadPoolExecutor(THREADS, "lane")
        self._lanes = {command_type: Lane(self._execute, most, threads) for command_type in COMMAND_HANDLERS}
        self._queued = threading.Event()
        if most > 1:
            threading.Thread(target=self._watch, name="lane-watch", daemon=True).start()

    def submit(self, request: CommandRequest, done: Callable[[Outcome], None]) -> bool:
        """Execute the request in other threads. `done` receives its outcome once, in any thread.

        Return False if the request can't share a transaction.
        """
        if self._most == 1 or request.locks.needs_own_transaction:
            return False
        if error := self._execution.error_of(request):
            self._execution.wait_in_background(request, error, done)
        elif not self._lanes[type(request.command)].add(Ticket(request, done)):
            self._queued.set()
        return True

    def _execute(self, tickets: Sequence[Ticket]) -> None:
        outcomes = self._execution.execute([ticket.request for ticket in tickets])
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            if isinstance(outcome, Busy | StillRunning):
                self._execution.wait_in_background(ticket.request, outcome, ticket.answer)
            else:
                ticket.answer(outcome)

    def _watch(self) -> None:
        """Start further commits while requests queue behind a slow commit."""
        while self._queued.wait():
            self._queued.clear()
            time.sleep(LONGEST_QUEUEING / 5)
            queued = [lane.relieve() for lane in self._lanes.values()]
            if any(queued):
                self._queued.set()
