"""Takes commands to their handlers, many to a transaction where they can share it, and hands their events on."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from allocation.domain.commands import Command
from allocation.domain.errors import Refusal
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
from allocation.service_layer.unit_of_work import (
    Begin,
    Keys,
    Message,
    RetryableError,
    StoreUnavailable,
    Transaction,
    UnitOfWork,
)

logger = logging.getLogger(__name__)

ATTEMPTS = 8
GROUP_SIZE = 500

T = TypeVar("T")
R = TypeVar("R")
Outcome = Done | Exception
"""What became of a command: done, or why it was not."""


class Request(NamedTuple):
    """A command, and the key under which it is carried out once."""

    command: Command
    key: IdempotencyKey | None = None


class MessageBus:
    """Handles commands. Keeps nothing between calls, so that any number of threads may share it.

    `committed` gets the events of each commit right after it, and must not raise for what goes wrong beyond
    the commit: the command has succeeded by then.
    """

    def __init__(self, begin: Begin, committed: Callable[[Sequence[Message]], None]) -> None:
        self._begin = begin
        self._committed = committed

    def handle(self, command: Command, key: IdempotencyKey | None = None) -> Answer:
        """Handle one command in a transaction of its own.

        Raises the `Refusal` of its handler, KeyReused, StillRunning: nothing has changed; StoreUnavailable: nothing has
        changed, unless the connection was lost in the middle of the commit.
        """
        [outcome] = self._handle_together([Request(command, key)])
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
            return [outcome for request in group for outcome in self._handle_at_once(request)]
        except Exception as error:
            if len(group) == 1:
                return [error]
            logger.exception("A group of %s commands failed; each is tried alone", len(group))
            return [outcome for request in group for outcome in self._handle_together([request])]

    def _handle_at_once(self, request: Request) -> Sequence[Outcome]:
        try:
            return with_retries(partial(self._commit, wait_for_keys=False), [request])
        except Exception as error:
            return [error]

    def _commit(self, group: Sequence[Request], *, wait_for_keys: bool = True) -> list[Outcome]:
        keys = replace(Keys.union(map(keys_of, group)), wait_for_keys=wait_for_keys)
        with self._begin(keys) as transaction:
            outcomes = [carry_out(request, transaction) for request in group]
            events = transaction.commit()
        if events:
            self._committed(events)
        return outcomes

    def _preview(self, command: Command) -> dict[str, Any]:
        with self._begin(keys_of(Request(command))) as transaction:
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


def keys_of(request: Request) -> Keys:
    keys = COMMAND_HANDLERS[type(request.command)].keys(request.command)
    return keys if request.key is None else replace(keys, idempotency=frozenset([request.key]))


def grouped(requests: Iterable[Request]) -> Iterator[list[Request]]:
    """Cut into groups that may share a transaction: one type, no line, batch or key twice, at most GROUP_SIZE."""
    group: list[Request] = []
    named: set[object] = set()
    alone = False
    for request in requests:
        keys = keys_of(request)
        if group and (
            len(group) == GROUP_SIZE
            or type(request.command) is not type(group[0].command)
            or alone
            or keys.alone
            or not named.isdisjoint(keys.identities)
        ):
            yield group
            group, named = [], set()
        group.append(request)
        named |= keys.identities
        alone = keys.alone
    if group:
        yield group
