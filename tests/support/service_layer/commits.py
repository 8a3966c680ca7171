"""Group commit over a store that the test controls, to decide when commits end and which of them fail."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from allocation.domain.commands import Allocate, Command
from allocation.domain.errors import UnknownSku
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.concurrency.execution import Execution
from allocation.service_layer.concurrency.group_commit import GroupCommit
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.outcomes import Done, OrderResult, Outcome
from allocation.service_layer.unit_of_work import Busy, LockWait
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE


class Commits:
    """Records the commits of a GroupCommit and its Execution.

    `groups` holds the commands of each commit that waits briefly for locks, and `waited` the commands that wait for a
    held lock. `failures` are raised by the next commits. `held` is the SKUs that another transaction holds.
    """

    def __init__(self, most: int) -> None:
        self.groups: list[list[Command]] = []
        self.waited: list[Command] = []
        self.failures: list[BaseException] = []
        self.held = set[str]()
        self.released = threading.Event()
        self.execution = Execution(self._commit)
        self.group_commit = GroupCommit(self.execution, most)
        self._may_end = threading.Event()
        self._may_end.set()
        self._pool = ThreadPoolExecutor(50)

    def execute(self, command: Command) -> Outcome:
        """Execute a command in this thread."""
        return self._execute(CommandRequest(command))

    def send(self, *commands: Command, key: IdempotencyKey | None = None) -> list[Future[Outcome]]:
        """Execute the commands. They arrive in this order."""
        return [self._send(CommandRequest(command, key)) for command in commands]

    @contextmanager
    def running(self, first: Command) -> Iterator[None]:
        """Run a commit of the first command until the end of the block."""
        self._may_end.clear()
        [future] = self.send(first)
        eventually(lambda: self.groups[-1:] == [[first]])
        yield
        self._may_end.set()
        future.result(PATIENCE)

    def close(self) -> None:
        self._may_end.set()
        self.released.set()
        self._pool.shutdown()

    def _execute(self, request: CommandRequest) -> Outcome:
        future = submit(self.group_commit, request)
        return self.execution.execute_alone(request) if future is None else future.result(PATIENCE)

    def _send(self, request: CommandRequest) -> Future[Outcome]:
        before = self._arrived
        future = submit(self.group_commit, request) or self._pool.submit(self.execution.execute_alone, request)
        eventually(lambda: self._arrived > before or future.done())
        return future

    @property
    def _arrived(self) -> int:
        """The number of requests so far. Only private attributes show how many are queued."""
        queued = sum(len(lane._queue) for lane in self.group_commit._lanes.values())
        return queued + sum(map(len, self.groups)) + len(self.waited)

    def _commit(self, group: Sequence[CommandRequest], wait: LockWait) -> Sequence[Outcome]:
        commands = [request.command for request in group]
        if wait is LockWait.FULL:
            self.waited += commands
            assert self.released.wait(PATIENCE)
        else:
            self.groups.append(commands)
            assert self._may_end.wait(PATIENCE)
        if self.failures:
            raise self.failures.pop(0)
        if any(not self.held.isdisjoint(request.locks.skus) for request in group):
            raise Busy("locked")
        return [outcome_of(command) for command in commands]


def outcome_of(command: Command) -> Outcome:
    """Return the outcome that a group commit has for this command: a refusal for the SKU X, or else success."""
    if isinstance(command, Allocate) and command.sku == "X":
        return UnknownSku("X")
    return Done(OrderResult(repr(command), []))


def line(number: int, sku: str = "S") -> Allocate:
    return Allocate(f"o{number}", sku, 1)


def submit(group_commit: GroupCommit, request: CommandRequest) -> Future[Outcome] | None:
    """Return the future outcome of the request, or None if it can't share a transaction."""
    outcome = Future[Outcome]()
    return outcome if group_commit.submit(request, outcome.set_result) else None
