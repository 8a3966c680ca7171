"""Commands as they come to the bus, and which of them may share a transaction."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from allocation.domain.commands import Command
from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.idempotency import Done, IdempotencyKey
from allocation.service_layer.unit_of_work import Keys

GROUP_SIZE = 500

Outcome = Done | Exception
"""What became of a command: done, or why it was not."""


class Request(NamedTuple):
    """A command, and the key under which it is carried out once."""

    command: Command
    key: IdempotencyKey | None = None


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
