"""A group commit over a store that the test controls, to decide when commits end and which of them fail."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from allocation.domain.commands import Allocate, Command
from allocation.domain.errors import UnknownSku
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.group_commit import GroupCommit
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.outcomes import Done, OrderResult, Outcome
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE

RAN_ALONE = Done(OrderResult("alone", []))
"""The outcome of every request that ran alone."""


class Commits:
    """Records the commits of a GroupCommit.

    `groups` holds the commands of each group commit, and `alone` the commands that ran alone. `failures` are raised by
    the next group commits. `run_alone` executes a request that runs alone.
    """

    def __init__(self, most: int) -> None:
        self.groups: list[list[Command]] = []
        self.alone: list[Command] = []
        self.failures: list[BaseException] = []
        self.run_alone: Callable[[CommandRequest], Outcome] = lambda request: RAN_ALONE
        self.group_commit = GroupCommit(self._commit_group, self._execute_alone, most)
        self._may_end = threading.Event()
        self._may_end.set()
        self._pool = ThreadPoolExecutor(50)

    def execute(self, command: Command) -> Outcome:
        """Execute a command in this thread."""
        return self.group_commit.execute(CommandRequest(command))

    def send(self, *commands: Command, key: IdempotencyKey | None = None) -> list[Future[Outcome]]:
        """Execute each command in a thread of its own. The commands arrive in this order."""
        return [self._send(CommandRequest(command, key)) for command in commands]

    @contextmanager
    def running(self, first: Command) -> Iterator[None]:
        """Run a commit of the first command until the end of the block."""
        self._may_end.clear()
        [future] = self.send(first)
        yield
        self._may_end.set()
        future.result(PATIENCE)

    def close(self) -> None:
        self._may_end.set()
        self._pool.shutdown()

    def _send(self, request: CommandRequest) -> Future[Outcome]:
        before = self._arrived
        future = self._pool.submit(self.group_commit.execute, request)
        eventually(lambda: self._arrived > before)
        return future

    @property
    def _arrived(self) -> int:
        """The number of requests so far. Only private attributes show how many are queued."""
        queued = sum(len(lane._queue) for lane in self.group_commit._lanes.values())
        return queued + sum(map(len, self.groups)) + len(self.alone)

    def _commit_group(self, group: Sequence[CommandRequest]) -> Sequence[Outcome]:
        self.groups.append([request.command for request in group])
        assert self._may_end.wait(PATIENCE)
        if self.failures:
            raise self.failures.pop(0)
        return [outcome_of(request.command) for request in group]

    def _execute_alone(self, request: CommandRequest) -> Outcome:
        self.alone.append(request.command)
        return self.run_alone(request)


def outcome_of(command: Command) -> Outcome:
    """Return the outcome that a group commit has for this command: a refusal for the SKU X, or else success."""
    if isinstance(command, Allocate) and command.sku == "X":
        return UnknownSku("X")
    return Done(OrderResult(repr(command), []))


def line(number: int, sku: str = "S") -> Allocate:
    return Allocate(f"o{number}", sku, 1)
