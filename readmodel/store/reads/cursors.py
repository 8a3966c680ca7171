"""The cursors of buckets: which position of the log they show, and whether that suffices for a consistency token."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from readmodel.store import keys
from readmodel.store.connection import RedisCommand
from readmodel.store.errors import ModelAbsent
from readmodel.store.reads.consistency import ConsistencyToken, NotYet
from readmodel.store.registers import number_of


def cursor_commands(generation: str, buckets: Iterable[str]) -> list[RedisCommand]:
    return [("GET", f"{generation}:{keys.cursor(bucket)}") for bucket in buckets]


def require_positions(cursors: Iterable[str | None]) -> None:
    """Raise ModelAbsent if a bucket has no position."""
    if None in [number_of(position or "") for position in cursors]:
        raise ModelAbsent


def require_shown(token: ConsistencyToken, reached: int, registers: Mapping[str, Mapping[str, str]]) -> None:
    """Raise NotYet unless lists show the command of the token.

    Their buckets have reached this position. If a query has all `registers` of a key, they also count.
    """
    by_registers = bool(registers) and all(token.is_shown_by(key, fields, reached) for key, fields in registers.items())
    if reached < token.position and not by_registers:
        raise NotYet


def progress_commands(generation: str, buckets: Iterable[str]) -> list[RedisCommand]:
    """Return the commands that read the cursor and the history of each bucket.

    The Redis user of query processes may not use HMGET.
    """
    commands: list[RedisCommand] = []
    for bucket in buckets:
        commands.append(("GET", f"{generation}:{keys.cursor(bucket)}"))
        commands.append(("HGETALL", f"{generation}:{keys.history(bucket)}"))
    return commands


def cursors_in_history(token: ConsistencyToken, buckets: Sequence[str], replies: Sequence[Any]) -> dict[str, int]:
    """Return the cursors of buckets that show the history of the token. Raise NotYet, OtherHistory or ModelAbsent."""
    cursors = {}
    for bucket, cursor, history in zip(buckets, replies[::2], replies[1::2], strict=True):
        position, epoch = number_of(cursor or ""), number_of(history.get("epoch", ""))
        if position is None or epoch is None or "identity" not in history:
            raise ModelAbsent
        token.require_history(history["identity"], epoch)
        cursors[bucket] = position
    return cursors
