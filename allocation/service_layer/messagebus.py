"""Calls the handler of each command, many in one transaction if they can share it, and publishes their events."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from allocation.domain.commands import Command
from allocation.domain.errors import Refusal
from allocation.service_layer.command_requests import CommandRequest, grouped
from allocation.service_layer.group_commit import ExecuteAlone, GroupCommit
from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.idempotency import IdempotencyKey, KeyReused, StillRunning, event_ranges_since
from allocation.service_layer.outcomes import Done, OrderOutcome, Outcome
from allocation.service_layer.preview import Preview, preview
from allocation.service_layer.unit_of_work import (
    Begin,
    Busy,
    LockSet,
    LockWait,
    LoggedEvent,
    RetryableError,
    StoreUnavailable,
    Transaction,
    UnitOfWork,
)

logger = logging.getLogger(__name__)

ATTEMPTS = 8

Publish = Callable[[Sequence[LoggedEvent]], None]

T = TypeVar("T")
R = TypeVar("R")


class MessageBus:
    """Handles commands. Any number of threads may share one bus.

    Up to `most_together` commands of concurrent threads share a transaction. `publish` gets the events of each commit
    right after it. It must not raise if the views can't be updated: the command has succeeded by then.
    """

    def __init__(self, begin: Begin, publish: Publish, most_together: int = 1) -> None:
        self._begin = begin
        self._publish = publish
        self._execute: ExecuteAlone = self._execute_alone
        if most_together > 1:
            self._execute = GroupCommit(self._commit_without_waiting, self._execute_alone, most_together).execute

    def handle(self, command: Command, key: IdempotencyKey | None = None) -> OrderOutcome | None:
        """Handle one command, in a transaction of its own or together with concurrent ones. Return its result.

        Raises the handler's Refusal, KeyReused or StillRunning: nothing has changed. Raises StoreUnavailable: nothing
        has changed, unless the connection was lost during the commit.
        """
        outcome = self._execute(CommandRequest(command, key))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome.result

    def preview(self, command: Command) -> Preview:
        """Return what the command would do now. It runs the same handler and then rolls back.

        Raises what `handle` would raise.
        """
        return with_retries(self._preview, command)

    def handle_all(self, commands: Iterable[Command]) -> Iterator[Outcome]:
        """Handle commands without idempotency keys, as `handle_requests` does."""
        return self.handle_requests(map(CommandRequest, commands))

    def handle_requests(self, requests: Iterable[CommandRequest]) -> Iterator[Outcome]:
        """Handle commands in order, many in one transaction. Yield each outcome after its commit.

        A command that fails does not affect the others: its outcome is what `handle` would raise. If the store becomes
        unavailable, that is the outcome of every command in the transaction, and the next ones are tried.
        """
        for group in grouped(requests):
            yield from self._execute_group(group)

    def _execute_group(self, group: Sequence[CommandRequest]) -> Sequence[Outcome]:
        try:
            return with_retries(self._commit, group)
        except StoreUnavailable as error:
            return [error] * len(group)
        except StillRunning:
            # The group has waited for a key already. If each request waited as long again, that could take hours.
            return [self._execute_alone(request, LockWait.NOT_FOR_KEYS) for request in group]
        except Exception as error:
            if len(group) == 1:
                return [error]
            logger.exception("A group of %s commands failed. Each runs alone now", len(group))
            return [self._execute_alone(request) for request in group]

    def _commit_without_waiting(self, group: Sequence[CommandRequest]) -> Sequence[Outcome]:
        try:
            return with_retries(partial(self._commit, wait=LockWait.SHORT), group)
        except StillRunning as error:
            raise Busy(str(error)) from error

    def _execute_alone(self, request: CommandRequest, wait: LockWait = LockWait.FULL) -> Outcome:
        try:
            [outcome] = with_retries(partial(self._commit, wait=wait), [request])
        except Exception as error:
            return error
        return outcome

    def _commit(self, group: Sequence[CommandRequest], wait: LockWait = LockWait.FULL) -> list[Outcome]:
        with self._begin(LockSet.union((request.locks for request in group), wait)) as transaction:
            outcomes = [execute(request, transaction) for request in group]
            events = transaction.commit()
        if events:
            self._publish(events)
        return outcomes

    def _preview(self, command: Command) -> Preview:
        with self._begin(CommandRequest(command).locks) as transaction:
            result = COMMAND_HANDLERS[type(command)].handle(command, transaction)
            return preview(result, transaction)


def with_retries(work: Callable[[T], R], argument: T) -> R:
    """Call `work` until it loses no race. Raises StoreUnavailable after ATTEMPTS lost races."""
    retrying = Retrying(
        retry=retry_if_exception_type(RetryableError),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.005, max=0.5),
        reraise=True,
    )
    try:
        return retrying(work, argument)
    except RetryableError as error:
        raise StoreUnavailable(f"The transaction lost {ATTEMPTS} races for the same rows") from error


def execute(request: CommandRequest, transaction: Transaction) -> Outcome:
    """Return the stored outcome of the request's key. If there is none, attempt the command and store its outcome."""
    if request.key is None:
        return attempt(request.command, transaction)
    keys = transaction.idempotency_keys
    try:
        stored = keys.find_outcome(request.key)
    except (KeyReused, StoreUnavailable) as error:
        return error
    if stored is not None:
        return stored
    changes = transaction.changes
    events, repeated = len(changes.events), len(changes.repeated)
    outcome = attempt(request.command, transaction)
    keys.store_outcome(request.key, outcome, event_ranges_since(events, repeated, changes))
    return outcome


def attempt(command: Command, uow: UnitOfWork) -> Done | Refusal:
    try:
        return Done(COMMAND_HANDLERS[type(command)].handle(command, uow))
    except Refusal as refusal:
        return refusal
