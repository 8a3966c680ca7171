"""Consistency tokens: with one, a client reads its own writes, from any process and from any replica of Redis.

The answer to a command carries a token. It names the position of the command's transaction in the log, and the places
that the command has written: registers, each with its version. A query that gets the token waits until each place that
it reads is at least that new, or until its buckets show the whole log up to that position.
"""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from struct import Struct, iter_unpack
from struct import error as WrongSize  # noqa: N812  # The module names its error in lower case.
from typing import NamedTuple
from zlib import crc32

from readmodel.store.registers import LARGEST, number_of

MOST_PLACES, LONGEST = 16, 400
VERSION = 1
HEAD, PLACE = Struct(">BB8sQQ"), Struct(">IIQ")
ALL_PLACES, CHANGES_CACHED = 1, 2
"""The flags of a token: it has all places of its command; the command has changed a value that readers cache."""
KEPT_IDENTITY = 8
"""The characters of a history's identity that a token keeps. Two histories of one log differ in them, or in epoch."""


class BadToken(ValueError):
    """The text is no consistency token."""


class NotYet(Exception):
    """The views do not show the write of the token yet."""


class OtherHistory(Exception):
    """The token is of a history that the log no longer has, or of another log."""


class Place(NamedTuple):
    """A register of a view, by its key and field. `version` is the one that the command has written."""

    key: str
    field: str
    version: int


class ConsistencyToken(NamedTuple):
    """`places` maps the checksum of a key to the versions of its fields, by the checksums of the fields.

    Keys can be long. If two of them have the same checksum, a query may wait longer than necessary.
    """

    identity: str
    epoch: int
    position: int
    has_all_places: bool
    changes_cached: bool
    places: Mapping[int, Mapping[int, int]]

    @classmethod
    def parse(cls, text: str) -> "ConsistencyToken":
        """Raise BadToken."""
        try:
            data = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            version, flags, identity, epoch, position = HEAD.unpack_from(data)
            places: dict[int, dict[int, int]] = {}
            for key, field, written in iter_unpack(PLACE.format, data[HEAD.size :]):
                places.setdefault(key, {})[field] = written
            history = identity.decode("ascii")
        except (ValueError, WrongSize):
            raise BadToken from None
        if version != VERSION or len(text) > LONGEST:
            raise BadToken
        return cls(history, epoch, position, bool(flags & ALL_PLACES), bool(flags & CHANGES_CACHED), places)

    def require_history(self, identity: str, epoch: int) -> None:
        """Check the history that a bucket shows. Raise OtherHistory, or NotYet if the bucket shows an earlier one."""
        if identity[:KEPT_IDENTITY] == self.identity:
            return
        if self.epoch > epoch:
            raise NotYet
        raise OtherHistory

    def is_shown_by(self, key: str, fields: Mapping[str, str], cursor: int) -> bool:
        """Return whether the hash of a view shows the write. `cursor` is that of its bucket."""
        if cursor >= self.position:
            return True
        if not self.has_all_places:
            return False
        written = self.places.get(checksum(key))
        if written is None:
            return True
        shown = dict[int, int]()
        for field, value in fields.items():
            number = checksum(field)
            shown[number] = min(version_of(value), shown.get(number, LARGEST))
        return all(shown.get(field, 0) >= version for field, version in written.items())


def token_text(
    identity: str, epoch: int, position: int, places: Collection[Place] | None, *, changes_cached: bool
) -> str:
    """Return the token of a command that has written these places. None means that they are too many."""
    kept = {(checksum(place.key), checksum(place.field)): place.version for place in places or ()}
    has_all = places is not None and len(kept) == len(places) <= MOST_PLACES
    flags = has_all * ALL_PLACES | changes_cached * CHANGES_CACHED
    head = HEAD.pack(VERSION, flags, identity[:KEPT_IDENTITY].encode(), epoch, position)
    packed = (PLACE.pack(*names, version) for names, version in kept.items()) if has_all else ()
    return urlsafe_b64encode(head + b"".join(packed)).rstrip(b"=").decode()


def checksum(text: str) -> int:
    return crc32(text.encode())


def version_of(stored: str) -> int:
    """Return the version of a stored register, or 0 if it can't be parsed."""
    return number_of(stored.partition(" ")[0]) or 0
