"""Takes commands to their handlers, many to a transaction where they can share it, and hands their events on."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from allocation.domain.commands import Command
from allocation.domain.errors import Refusal
from allocation.service_layer.group_commit import Alone, GroupCommit
from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.idempotency import (
    Answer,
    Done,
    IdempotencyKey,
    KeyReused,
    StillRunning,
    effects_since,
)
from allocation.service_layer.preview import foreseen
from allocation.service_layer.requests import Outcome, Request, grouped
from allocation.service_layer.unit_of_work import (
    Begin,
    Busy,
    Keys,
    Message,
    Patience,
    RetryableError,
    StoreUnavailable,
    Transaction,
    UnitOfWork,
)

logger = logging.getLogger(__name__)

ATTEMPTS = 8

T = TypeVar("T")
R = TypeVar("R")


class MessageBus:
    """Handles commands. Any number of threads may share one.

    Commands of concurrent threads share a transaction, at most `most_together` of them. `committed` gets the events of
    each commit right after it, and must not raise for what goes wrong beyond the commit: the command has succeeded by
    then.
    """

    def __init__(self, begin: Begin, committed: Callable[[Sequence[Message]], None], most_together: int = 1) -> None:
        self._begin = begin
        self._committed = committed
        self._handle: Alone = self._handle_alone
        if most_together > 1:
            self._handle = GroupCommit(self._handle_shortly, self._handle_alone, most_together).handle

    def handle(self, command: Command, key: IdempotencyKey | None = None) -> Answer:
        """Handle one command, in a transaction of its own or with others that came at the same time.

        Raises the `Refusal` of its handler, KeyReused, StillRunning: nothing has changed; StoreUnavailable: nothing has
        changed, unless the connection was lost in the middle of the commit.
        """
        outcome = self._handle(Request(command, key))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome.answer

    def preview(self, command: Command) -> dict[str, Any]:
        """What the command would do now: its very handler, in a transaction of its own that is rolled back.

        Returns the shape of `preview.foreseen`; raises what `handle` would.
        """
        return with_retries(self._preview, command)

    def handle_all(self, commands: Iterable[Command]) -> Iterator[Outcome]:
        """`handle_requests` without keys."""
        return self.handle_requests(map(Request, commands))

    def handle_requests(self, requests: Iterable[Request]) -> Iterator[Outcome]:
        """Handle commands in order, many to a transaction; yield what became of each, once it is committed.

        Each stands on its own feet: what `handle` would raise is its outcome. Where the store goes away, that is the
        outcome of all that shared the transaction, and the next ones are tried.
        """
        for group in grouped(requests):
            yield from self._handle_together(group)

    def _handle_together(self, group: Sequence[Request]) -> Sequence[Outcome]:
        try:
            return with_retries(self._commit, group)
        except StoreUnavailable as error:
            return [error] * len(group)
        except StillRunning:
            # They have waited together. One by one, each for as long again, would be for hours.
            return [self._handle_alone(request, Patience.NOT_FOR_KEYS) for request in group]
        except Exception as error:
            if len(group) == 1:
                return [error]
            logger.exception("A group of %s commands failed; each is tried alone", len(group))
            return [self._handle_alone(request) for request in group]

    def _handle_shortly(self, group: Sequence[Request]) -> Sequence[Outcome]:
        try:
            return with_retries(partial(self._commit, patience=Patience.SHORT), group)
        except StillRunning as error:
            raise Busy(str(error)) from error

    def _handle_alone(self, request: Request, patience: Patience = Patience.FULL) -> Outcome:
        try:
            [outcome] = with_retries(partial(self._commit, patience=patience), [request])
        except Exception as error:
            return error
        return outcome

    def _commit(self, group: Sequence[Request], patience: Patience = Patience.FULL) -> list[Outcome]:
        keys = replace(Keys.union(request.keys for request in group), patience=patience)
        with self._begin(keys) as transaction:
            outcomes = [carry_out(request, transaction) for request in group]
            events = transaction.commit()
        if events:
            self._committed(events)
        return outcomes

    def _preview(self, command: Command) -> dict[str, Any]:
        with self._begin(Request(command).keys) as transaction:
            answer = COMMAND_HANDLERS[type(command)].handle(command, transaction)
            return foreseen(answer, transaction)


def with_retries(work: Callable[[T], R], argument: T) -> R:
    retrying = Retrying(
        retry=retry_if_exception_type(RetryableError),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.005, max=0.5),
        reraise=True,
    )
    try:
        return retrying(work, argument)
    except RetryableError as error:
        raise StoreUnavailable(f"Lost every one of {ATTEMPTS} races for the same rows") from error


def carry_out(request: Request, transaction: Transaction) -> Outcome:
    """Attempt the command, unless it was carried out before: then that is its outcome."""
    if request.key is None:
        return attempt(request.command, transaction)
    try:
        earlier = transaction.outcomes.earlier(request.key)
    except (KeyReused, StoreUnavailable) as error:
        return error
    if earlier is not None:
        return earlier
    changes = transaction.changes
    events, repeated = len(changes.events), len(changes.repeated)
    outcome = attempt(request.command, transaction)
    transaction.outcomes.keep(request.key, outcome, effects_since(events, repeated, changes))
    return outcome


def attempt(command: Command, uow: UnitOfWork) -> Done | Refusal:
    try:
        return Done(COMMAND_HANDLERS[type(command)].handle(command, uow))
    except Refusal as refusal:
        return refusal
