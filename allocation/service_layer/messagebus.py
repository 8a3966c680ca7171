"""Takes commands to their handlers, many to a transaction where they can share it, and hands their events on."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from allocation.domain.commands import Command
from allocation.domain.errors import Refusal
from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.unit_of_work import (
    Begin,
    Keys,
    Message,
    RetryableError,
    StoreUnavailable,
    UnitOfWork,
)

logger = logging.getLogger(__name__)

ATTEMPTS = 8
GROUP_SIZE = 500

Outcome = Exception | None
"""What became of a command: None where it succeeded, else why it did not."""


class MessageBus:
    """Handles commands. Keeps nothing between calls, so that any number of threads may share it.

    `committed` gets the events of each commit right after it, and must not raise for what goes wrong beyond
    the commit: the command has succeeded by then.
    """

    def __init__(self, begin: Begin, committed: Callable[[Sequence[Message]], None]) -> None:
        self._begin = begin
        self._committed = committed

    def handle(self, command: Command) -> None:
        """Handle one command in a transaction of its own.

        Raises the `Refusal` of its handler: nothing has changed; StoreUnavailable: nothing has changed, unless the
        connection was lost in the middle of the commit.
        """
        [outcome] = self._handle_together([command])
        if outcome is not None:
            raise outcome

    def handle_all(self, commands: Iterable[Command]) -> Iterator[Outcome]:
        """Handle commands in order, many to a transaction; yield what became of each, once it is committed.

        A refused command fails alone. Raises StoreUnavailable where the store goes away: what was yielded is done.
        """
        for group in grouped(commands):
            yield from self._handle_together(group)

    def _handle_together(self, group: Sequence[Command]) -> list[Outcome]:
        try:
            return self._commit_with_retries(group)
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(group) == 1:
                return [error]
            logger.exception("A group of %s commands failed; each is tried alone", len(group))
            return [outcome for command in group for outcome in self._handle_together([command])]

    def _commit_with_retries(self, group: Sequence[Command]) -> list[Outcome]:
        retrying = Retrying(
            retry=retry_if_exception_type(RetryableError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.005, max=0.5),
            reraise=True,
        )
        try:
            return retrying(self._commit, group)
        except RetryableError as error:
            raise StoreUnavailable(f"Lost every one of {ATTEMPTS} races for the same rows") from error

    def _commit(self, group: Sequence[Command]) -> list[Outcome]:
        with self._begin(Keys.union(map(keys_of, group))) as uow:
            outcomes = [attempt(command, uow) for command in group]
            events = uow.commit()
        if events:
            self._committed(events)
        return outcomes


def attempt(command: Command, uow: UnitOfWork) -> Outcome:
    try:
        COMMAND_HANDLERS[type(command)].handle(command, uow)
    except Refusal as refusal:
        return refusal
    return None


def keys_of(command: Command) -> Keys:
    return COMMAND_HANDLERS[type(command)].keys(command)


def grouped(commands: Iterable[Command]) -> Iterator[list[Command]]:
    """Cut into groups that may share a transaction: one type, no line or batch twice, at most GROUP_SIZE."""
    group: list[Command] = []
    named: set[object] = set()
    for command in commands:
        keys = keys_of(command)
        if group and (
            len(group) == GROUP_SIZE
            or type(command) is not type(group[0])
            or keys.alone
            or not named.isdisjoint(keys.identities)
        ):
            yield group
            group, named = [], set()
        group.append(command)
        named |= keys.identities
    if group:
        yield group
