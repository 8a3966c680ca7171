"""The progress of a generation, as Redis has recorded it."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from readmodel.store import keys
from readmodel.store.connection import RedisCommand
from readmodel.store.errors import ModelDamaged
from readmodel.store.registers import LONGEST_SHOWN, number_of

MARK = re.compile(r"([0-9]{1,18} [0-9]{1,18} [0-9a-f]{16})?")


class BucketProgress(NamedTuple):
    """A bucket shows every event at or below its cursor, of the history with this identity and epoch.

    `mark` names the last of these events.
    """

    cursor: int
    identity: str
    epoch: int
    mark: str


class Progress(NamedTuple):
    """The progress of each bucket, and the server and the moment of the read, in milliseconds of the server's clock."""

    buckets: Sequence[BucketProgress]
    replication_id: str
    moment: int

    @property
    def cursor(self) -> int:
        """The position that every bucket has reached."""
        return min(bucket.cursor for bucket in self.buckets)

    @property
    def identities(self) -> set[str]:
        return {bucket.identity for bucket in self.buckets}


def progress_commands(generation: str) -> list[RedisCommand]:
    """Return the commands whose replies `parse_progress` accepts."""
    commands: list[RedisCommand] = [("INFO", "replication"), ("TIME",)]
    for bucket in keys.BUCKETS:
        commands.append(("GET", f"{generation}:{keys.cursor(bucket)}"))
        commands.append(("HMGET", f"{generation}:{keys.history(bucket)}", "identity", "epoch", "mark"))
    return commands


def parse_progress(generation: str, replies: Sequence[Any]) -> Progress | None:
    """Return None if a part of the generation is missing. Raise ModelDamaged if a number or a mark can't be parsed."""
    info, time, *rest = replies
    found = list(zip(rest[::2], rest[1::2], strict=True))
    if any(cursor is None or None in history for cursor, history in found):
        return None
    buckets = [
        BucketProgress(number_in(generation, cursor), identity, number_in(generation, epoch), require_mark(mark))
        for cursor, (identity, epoch, mark) in found
    ]
    return Progress(buckets, replication_id_in(info), milliseconds(time))


def number_in(generation: str, stored: str) -> int:
    number = number_of(stored)
    if number is None:
        raise ModelDamaged(f"a cursor or an epoch of generation {generation} is no number: {stored!r}")
    return number


def require_mark(stored: str) -> str:
    if not MARK.fullmatch(stored):
        raise ModelDamaged(f"a mark can't be parsed: {stored[:LONGEST_SHOWN]!r}")
    return stored


def replication_id_in(info: str) -> str:
    """Return the replication id of the server or, of a replica, that of its primary. `info` is INFO replication."""
    return info.partition("master_replid:")[2].partition("\r\n")[0]


def milliseconds(time: Sequence[str]) -> int:
    """Return the reply of TIME in milliseconds."""
    seconds, microseconds = time
    return int(seconds) * 1_000 + int(microseconds) // 1_000
