"""Commands as they come to the bus, and which of them may share a transaction."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from allocation.domain.commands import Command
from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.idempotency import Done, IdempotencyKey
from allocation.service_layer.unit_of_work import Keys

GROUP_SIZE = 500

Outcome = Done | Exception
"""What became of a command: done, or why it was not."""


class Request:
    """A command, and the key under which it is carried out once. `keys` are what it may touch."""

    __slots__ = ("command", "key", "keys")

    def __init__(self, command: Command, key: IdempotencyKey | None = None) -> None:
        self.command = command
        self.key = key
        keys = COMMAND_HANDLERS[type(command)].keys(command)
        self.keys: Keys = keys if key is None else replace(keys, idempotency=frozenset([key]))


def grouped(requests: Iterable[Request]) -> Iterator[list[Request]]:
    """Cut into groups that may share a transaction: one type, no line, batch or key twice, at most GROUP_SIZE."""
    group: list[Request] = []
    named: set[object] = set()
    alone = False
    for request in requests:
        keys = request.keys
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
