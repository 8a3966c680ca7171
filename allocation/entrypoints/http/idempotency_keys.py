"""Idempotency keys as callers send them."""

from hashlib import sha256

import orjson

from allocation.adapters.schemas.errors import BadCommand, shortened
from allocation.adapters.schemas.fields import LONGEST_IDENTIFIER
from allocation.domain.commands import Command
from allocation.service_layer.idempotency import IdempotencyKey

HEADER = "Idempotency-Key"


def scope(route: str, token: str | None) -> str:
    """Two callers may choose the same key, and one caller may on two routes. The token itself is not kept.

    Raises BadCommand where there is a token that can't be read: it would be that of another one.
    """
    if token == "":
        raise BadCommand([{"member": "Authorization", "message": "must be printable ASCII"}])
    caller = sha256(token.encode()).hexdigest()[:32] if token else "-"
    return f"{caller} {route}"


def key(scope: str, value: str, command: Command) -> IdempotencyKey:
    """The key of a command. Two bodies that say the same are one, however they are written."""
    content = orjson.dumps([type(command).__name__, command])
    return IdempotencyKey(scope, value, sha256(content).hexdigest())


def checked(value: str) -> str:
    """The value of the header. Raises BadCommand."""
    if not 1 <= len(value) <= LONGEST_IDENTIFIER or not (value.isascii() and value.isprintable()):
        reason = f"must be 1 to {LONGEST_IDENTIFIER} printable characters of ASCII, not {shortened(value)}"
        raise BadCommand([{"member": HEADER, "message": reason}])
    return value
