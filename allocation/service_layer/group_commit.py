"""Group commit: what comes while a transaction is running shares the next one.

A transaction costs far more than a decision. So requests of one type have a lane, in which one transaction runs at a
time. Who comes to an empty lane goes at once; the others wait behind the running commit, in the order in which they
came, and go together. Nobody waits for company.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock

from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.idempotency import StillRunning
from allocation.service_layer.requests import Outcome, Request
from allocation.service_layer.unit_of_work import Busy, Keys

logger = logging.getLogger(__name__)

PATIENCE = 0.5
"""Seconds in the queue after which a request goes alone: the commit before it takes unusually long."""

Together = Callable[[Sequence[Request]], Sequence[Outcome] | None]
"""Carries out a group in one transaction. None where that can't be: nothing has changed, and each is to go alone."""
Alone = Callable[[Request], Outcome]


class Waiting:
    """A request in the queue of its lane. Its thread sleeps until there is an outcome, or until it is to go itself."""

    __slots__ = ("_turn", "group", "identities", "outcome", "request")

    def __init__(self, request: Request, identities: frozenset[object]) -> None:
        self.request = request
        self.identities = identities
        self.group: list[Waiting] = []
        self.outcome: Outcome | None = None
        self._turn = Lock()
        self._turn.acquire()

    def wait(self, seconds: float = -1) -> bool:
        return self._turn.acquire(timeout=seconds)

    def wake(self) -> None:
        self._turn.release()


class Lane:
    """Requests of one type. A request waits for at most ⌈what is ahead of it / most⌉ + 1 commits.

    One that names the line, batch or key of another waits for the commit of that one besides.
    """

    def __init__(self, together: Together, most: int) -> None:
        self._together = together
        self._most = most
        self._lock = Lock()
        self._running = False
        self._queue = deque[Waiting]()

    def handle(self, request: Request, identities: frozenset[object]) -> Outcome | None:
        """The outcome of the request; None where it has to go alone."""
        waiting = Waiting(request, identities)
        with self._lock:
            if self._running:
                self._queue.append(waiting)
            else:
                self._running = True
                waiting.group = [waiting]
        if not waiting.group and not waiting.wait(PATIENCE) and not self._leave(waiting):
            waiting.wait()
        if waiting.group:
            self._lead(waiting.group)
        return waiting.outcome

    def _leave(self, waiting: Waiting) -> bool:
        """Whether the request was still in the queue; it no longer is."""
        with self._lock:
            if waiting not in self._queue:
                return False
            self._queue.remove(waiting)
            return True

    def _lead(self, group: Sequence[Waiting]) -> None:
        try:
            outcomes = self._together([waiting.request for waiting in group])
            for waiting, outcome in zip(group, outcomes or (), strict=bool(outcomes)):
                waiting.outcome = outcome
        finally:
            self._pass_on()
            for waiting in group[1:]:
                waiting.wake()

    def _pass_on(self) -> None:
        """Have the one that waits longest go next, with those that may share its transaction."""
        with self._lock:
            group = self._take()
            self._running = bool(group)
        if group:
            group[0].group = group
            group[0].wake()

    def _take(self) -> list[Waiting]:
        group, left, named = list[Waiting](), list[Waiting](), set[object]()
        while self._queue and len(group) < self._most:
            waiting = self._queue.popleft()
            (group if named.isdisjoint(waiting.identities) else left).append(waiting)
            named |= waiting.identities
        self._queue.extendleft(reversed(left))
        return group


class GroupCommit:
    """Any number of threads may share one. `together` raises Busy where another transaction holds what it needs."""

    def __init__(self, together: Callable[[Sequence[Request]], Sequence[Outcome]], alone: Alone, most: int) -> None:
        self._alone = alone
        self._carry_out = together
        self._lanes = {kind: Lane(self._together, most) for kind in COMMAND_HANDLERS}
        self._lock = Lock()
        self._held = frozenset[object]()

    def handle(self, request: Request) -> Outcome:
        keys = request.keys
        if keys.alone or not self._held.isdisjoint(names(keys)):
            return self._go_alone(request, keys)
        outcome = self._lanes[type(request.command)].handle(request, keys.identities)
        return self._go_alone(request, keys) if outcome is None else outcome

    def _together(self, group: Sequence[Request]) -> Sequence[Outcome] | None:
        try:
            return self._carry_out(group)
        except Busy:
            self._hold(frozenset[object]().union(*(names(request.keys) for request in group)))
        except Exception as error:
            if len(group) == 1:
                return [error]
            logger.warning("A group of %s commands failed; each is tried alone", len(group), exc_info=error)
        return None

    def _go_alone(self, request: Request, keys: Keys) -> Outcome:
        outcome = self._alone(request)
        if not isinstance(outcome, Busy | StillRunning):
            self._release(names(keys))
        return outcome

    def _hold(self, held: frozenset[object]) -> None:
        """Have what names one of these go alone from now on, so that it holds up nobody else."""
        with self._lock:
            self._held |= held

    def _release(self, free: frozenset[object]) -> None:
        if not self._held.isdisjoint(free):
            with self._lock:
                self._held -= free


def names(keys: Keys) -> frozenset[object]:
    """What a transaction may have to wait for."""
    return keys.skus | keys.identities
