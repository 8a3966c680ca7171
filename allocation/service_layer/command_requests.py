"""Commands as they come to the message bus, and which of them may share a transaction."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from allocation.domain.commands import Command
from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.unit_of_work import LockSet

GROUP_SIZE = 500


class CommandRequest:
    """A command, its idempotency key if it has one, and the locks that both need."""

    __slots__ = ("command", "key", "locks")

    def __init__(self, command: Command, key: IdempotencyKey | None = None) -> None:
        self.command = command
        self.key = key
        locks = COMMAND_HANDLERS[type(command)].locks(command)
        self.locks: LockSet = locks if key is None else replace(locks, idempotency_keys=frozenset([key]))


def grouped(requests: Iterable[CommandRequest]) -> Iterator[list[CommandRequest]]:
    """Cut the requests into groups that may share a transaction, in their order.

    A group has at most GROUP_SIZE requests of one command type. No line, batch or key occurs in it twice.
    """
    group: list[CommandRequest] = []
    named: set[object] = set()
    for request in requests:
        if group and not may_join(request, group, named):
            yield group
            group, named = [], set()
        group.append(request)
        named |= request.locks.exclusive
    if group:
        yield group


def may_join(request: CommandRequest, group: list[CommandRequest], named: set[object]) -> bool:
    """Return whether the request may join a group that is not empty. `named` is what the group names already."""
    return (
        len(group) < GROUP_SIZE
        and type(request.command) is type(group[0].command)
        and not group[-1].locks.needs_own_transaction
        and not request.locks.needs_own_transaction
        and named.isdisjoint(request.locks.exclusive)
    )
