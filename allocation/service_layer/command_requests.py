"""Defines the requests of the message bus, and groups the requests that may share a transaction."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from allocation.domain.changes import UNKNOWN, Origin
from allocation.domain.commands import Command
from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.unit_of_work import LockSet

GROUP_SIZE = 500


class CommandRequest:
    """A command with its origin, its optional idempotency key, and the lock set of command and key."""

    __slots__ = ("command", "key", "locks", "origin")

    def __init__(self, command: Command, key: IdempotencyKey | None = None, origin: Origin = UNKNOWN) -> None:
        self.command = command
        self.key = key
        self.origin = origin
        locks = COMMAND_HANDLERS[type(command)].locks(command)
        self.locks: LockSet = locks if key is None else replace(locks, idempotency_keys=frozenset([key]))


def grouped(requests: Iterable[CommandRequest]) -> Iterator[list[CommandRequest]]:
    """Split the requests into groups that may share a transaction. Keep the order of the requests.

    A group has at most GROUP_SIZE requests, all of one command type. No line, batch or key occurs in a group twice.
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
    """Return True if the request may join the non-empty group. `named` holds the group's lines, batches and keys."""
    return (
        len(group) < GROUP_SIZE
        and type(request.command) is type(group[0].command)
        and not group[-1].locks.needs_own_transaction
        and not request.locks.needs_own_transaction
        and named.isdisjoint(request.locks.exclusive)
    )
