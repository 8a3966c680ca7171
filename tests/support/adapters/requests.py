"""Commands with idempotency keys."""

from allocation.domain.commands import Command
from allocation.entrypoints.http.idempotency_keys import key_of
from allocation.service_layer.command_requests import CommandRequest


def keyed(key: str, command: Command, scope: str = "- /allocate") -> CommandRequest:
    """Return the command with an idempotency key. The default scope is that of a client without a token."""
    return CommandRequest(command, key_of(scope, key, command))
