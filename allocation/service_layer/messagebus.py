"""Executes commands and publishes their events. Several commands may share a transaction."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from allocation.domain.changes import UNKNOWN, Origin
from allocation.domain.commands import Command
from allocation.domain.errors import Refusal
from allocation.service_layer.command_requests import CommandRequest, grouped
from allocation.service_layer.concurrency.execution import Execution
from allocation.service_layer.concurrency.group_commit import GroupCommit
from allocation.service_layer.concurrency.retries import with_retries
from allocation.service_layer.concurrency.turns import Turns
from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.idempotency import IdempotencyKey, KeyReused, StillRunning, event_ranges_since
from allocation.service_layer.observer import UNOBSERVED, Guarded, Observer
from allocation.service_layer.outcomes import Done, OrderResult, Outcome
from allocation.service_layer.preview import Preview, preview
from allocation.service_layer.unit_of_work import (
    Begin,
    Busy,
    CommittedEvents,
    LockSet,
    LockWait,
    StoreUnavailable,
    Transaction,
    UnitOfWork,
)
from allocation.service_layer.written import Executed, outcomes_of

logger = logging.getLogger(__name__)

Publish = Callable[[CommittedEvents], None]


class MessageBus:
    """Handles commands. Any number of threads may share one bus.

    Up to `commands_together` concurrent commands share a transaction. After each commit, the bus calls
    `publish` with its events. If `publish` can't update the views, it must not raise: the command has succeeded.
    """

    def __init__(
        self, begin: Begin, publish: Publish, commands_together: int = 1, observer: Observer = UNOBSERVED
    ) -> None:
        self._begin = begin
        self._observer = Guarded(observer)
        self._publish = publish
        self._execution = Execution(self._commit_with_retries)
        self._turns = Turns()
        self._group_commit = GroupCommit(self._execution, commands_together)

    def handle(
        self, command: Command, key: IdempotencyKey | None = None, origin: Origin = UNKNOWN
    ) -> OrderResult | None:
        """Handle one command, in its own transaction or together with concurrent commands. Return its result.

        Raise the handler's Refusal, KeyReused, StillRunning or StoreUnavailable. After one of these errors, the state
        is unchanged, unless the connection was lost during the commit.
        """
        outcome = self.execute(CommandRequest(command, key, origin))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome.result

    def execute(self, request: CommandRequest) -> Outcome:
        """Handle one command like `handle`, but return an error as the outcome."""
        outcome = Future[Outcome]()
        if self.submit(request, outcome.set_result):
            return outcome.result()
        found = self._execution.execute_alone(request)
        self._observer.executed(type(request.command), (found,))
        return found

    def submit(self, request: CommandRequest, done: Callable[[Outcome], None]) -> bool:
        """Execute a request that may share a transaction. The caller's thread does not wait.

        `done` receives the outcome once, in any thread, and possibly before this method returns. Return False for other
        requests. For them, call `execute`, which returns after the commit.
        """
        return self._group_commit.submit(request, partial(self._finish, type(request.command), done))

    def _finish(self, command: type[Command], done: Callable[[Outcome], None], outcome: Outcome) -> None:
        self._observer.executed(command, (outcome,))
        done(outcome)

    def preview(self, command: Command) -> Preview:
        """Return the changes that the command would make now. The bus runs the handler and rolls back.

        Raise the same errors as `handle`. A preview never waits for long.
        """
        return with_retries(self._preview, command, self._observer.retried)

    def handle_all(self, commands: Iterable[Command]) -> Iterator[Outcome]:
        """Handle commands without idempotency keys, in the same way as `handle_requests`."""
        return self.handle_requests(map(CommandRequest, commands))

    def handle_requests(self, requests: Iterable[CommandRequest]) -> Iterator[Outcome]:
        """Handle commands in order, many in one transaction. Yield each outcome after its commit.

        If a command fails, its outcome is the error that `handle` would raise. The other commands are unaffected. If
        the store becomes unavailable, every command of that transaction has the outcome StoreUnavailable. The bus still
        tries the next transaction.
        """
        for group in grouped(requests):
            with self._turns.taken(frozenset(sku for request in group for sku in request.locks.skus)):
                outcomes = self._execute_in_bulk(group)
            self._observer.executed(type(group[0].command), outcomes)
            yield from outcomes

    def _execute_in_bulk(self, group: Sequence[CommandRequest]) -> Sequence[Outcome]:
        """Execute the group. It waits for a held product at most once, and only for the first held idempotency key.

        If each request waited, the group could take more than half an hour.
        """
        outcomes = list(self._execution.execute(group))
        held = set[object]()
        for number, (request, error) in enumerate(zip(group, outcomes, strict=True)):
            if isinstance(error, Busy | StillRunning):
                names = request.locks.contended if isinstance(error, Busy) else {StillRunning}
                if held.isdisjoint(names):
                    outcomes[number] = outcome = self._execution.wait(request, error)
                    held |= names if isinstance(outcome, Busy | StillRunning) else set()
        return outcomes

    def _commit_with_retries(self, group: Sequence[CommandRequest], wait: LockWait) -> Sequence[Outcome]:
        try:
            return with_retries(partial(self._commit, wait=wait), group, self._observer.retried)
        except (Busy, StillRunning) as error:
            self._observer.timed_out(error)
            raise

    def _commit(self, group: Sequence[CommandRequest], wait: LockWait) -> list[Outcome]:
        started = time.perf_counter()
        with self._begin(LockSet.union((request.locks for request in group), wait)) as transaction:
            executed = [execute_and_note(request, transaction) for request in group]
            committed = transaction.commit()
        self._observer.committed(len(group), time.perf_counter() - started, transaction.changes.events)
        if committed.events:
            self._publish(committed)  # In a web worker, this is the fast path: see `components.create_fast_path`.
        return outcomes_of(executed, committed, len(transaction.changes.events))

    def _preview(self, command: Command) -> Preview:
        locks = replace(CommandRequest(command).locks, wait=LockWait.FIRST)
        with self._begin(locks) as transaction:
            result = COMMAND_HANDLERS[type(command)].handle(command, transaction)
            return preview(result, transaction)


def execute_and_note(request: CommandRequest, transaction: Transaction) -> Executed:
    """Execute the request, and note its origin for each event that it has caused."""
    changes = transaction.changes
    found = transaction.idempotency_keys.found_events if request.key is not None else []
    first, known = len(changes.events), len(changes.repeated) + len(found)
    outcome = execute_once(request, transaction)
    end = len(changes.events)
    changes.origins += [request.origin] * (end - len(changes.origins))
    return Executed(outcome, first, end, repeats=len(changes.repeated) + len(found) > known)


def execute_once(request: CommandRequest, transaction: Transaction) -> Outcome:
    """Return the stored outcome of the request's key. If no outcome is stored, run the handler and store its outcome.

    If the lookup of the key raises KeyReused or StoreUnavailable, return that error as the outcome.
    """
    if request.key is None:
        return run_handler(request.command, transaction)
    keys = transaction.idempotency_keys
    try:
        stored = keys.find_outcome(request.key)
    except (KeyReused, StoreUnavailable) as error:
        return error
    if stored is not None:
        return stored
    changes = transaction.changes
    events_before, repeated_before = len(changes.events), len(changes.repeated)
    outcome = run_handler(request.command, transaction)
    keys.store_outcome(request.key, outcome, event_ranges_since(events_before, repeated_before, changes))
    return outcome


def run_handler(command: Command, uow: UnitOfWork) -> Done | Refusal:
    """Run the handler and return its outcome. Return a Refusal instead of raising it."""
    try:
        return Done(COMMAND_HANDLERS[type(command)].handle(command, uow))
    except Refusal as refusal:
        return refusal
