"""Idempotency keys as clients send them."""

from hashlib import sha256

import orjson

from allocation.adapters.schemas.commands import STORED_NAMES
from allocation.adapters.schemas.errors import invalid, shorten
from allocation.adapters.schemas.fields import LONGEST_IDENTIFIER
from allocation.domain.commands import Command
from allocation.service_layer.idempotency import IdempotencyKey

HEADER = "Idempotency-Key"


def key_scope(route: str, caller: str | None) -> str:
    """Return the scope of an idempotency key: the name of the caller's access token, and the route.

    Each scope has its own keys. A new token with the same name has the same scope.
    """
    return f"{caller or '-'} {route}"


def key_of(scope: str, value: str, command: Command) -> IdempotencyKey:
    """Return the idempotency key of a command. Two JSON forms of the same command have the same fingerprint."""
    content = orjson.dumps([STORED_NAMES[type(command)], command])
    return IdempotencyKey(scope, value, sha256(content).hexdigest())


def checked_header(value: str) -> str:
    """Return the value. Raise InvalidInput if it is empty, too long, not printable ASCII, or has a comma.

    Some proxies join two headers of one name by a comma. Then their keys would count as a third key.
    """
    if not 1 <= len(value) <= LONGEST_IDENTIFIER or not (value.isascii() and value.isprintable()) or "," in value:
        message = f"must be 1 to {LONGEST_IDENTIFIER} printable ASCII characters without a comma, not {shorten(value)}"
        raise invalid(HEADER, message)
    return value
