"""Consistency tokens: with one, a client reads its own write, from any process and from any replica of Redis.

The answer to a command carries a token. It names the position of the command's transaction in the log, and the
registers that the command has written. A query that gets the token answers when each of these registers that it reads
is at least as new, or when its buckets show the whole log up to that position.
"""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from struct import Struct, iter_unpack
from struct import error as WrongSize  # noqa: N812  # The module names its error in lower case.
from typing import NamedTuple
from zlib import crc32

from readmodel.store.registers import LARGEST, version_in

MOST_REGISTERS, LONGEST = 16, 400
VERSION = 1
HEAD, REGISTER = Struct(">BB8sQQ"), Struct(">IIQ")
KEPT_IDENTITY = 8
"""The characters of a history's identity that a token keeps."""


class BadToken(ValueError):
    """The text is no consistency token."""


class NotYet(Exception):
    """The views do not show the command of the token yet."""


class OtherHistory(Exception):
    """The token is of a history that the log no longer has, or of another log."""


class WrittenRegister(NamedTuple):
    """A register that a command has set to this version."""

    key: str
    field: str
    version: int


class ConsistencyToken(NamedTuple):
    """`registers` maps the checksum of a key to the versions of its fields, by the checksums of the fields.

    Keys can be long. If two of them have the same checksum, a query may wait longer than necessary. Without
    `has_registers`, a query waits for the position.
    """

    identity: str
    epoch: int
    position: int
    has_registers: bool
    registers: Mapping[int, Mapping[int, int]]

    @classmethod
    def parse(cls, text: str) -> "ConsistencyToken":
        """Raise BadToken."""
        try:
            data = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            version, has_registers, identity, epoch, position = HEAD.unpack_from(data)
            registers: dict[int, dict[int, int]] = {}
            for key, field, written in iter_unpack(REGISTER.format, data[HEAD.size :]):
                registers.setdefault(key, {})[field] = written
            history = identity.decode("ascii")
        except (ValueError, WrongSize):
            raise BadToken from None
        if version != VERSION or len(text) > LONGEST:
            raise BadToken
        return cls(history, epoch, position, bool(has_registers), registers)

    def require_history(self, identity: str, epoch: int) -> None:
        """Check the history that a bucket shows. Raise OtherHistory, or NotYet if its epoch is below the token's."""
        if (identity[:KEPT_IDENTITY], epoch) != (self.identity, self.epoch):
            raise NotYet if self.epoch > epoch else OtherHistory

    def is_shown_by(self, key: str, fields: Mapping[str, str], cursor: int) -> bool:
        """Return whether the hash of a view shows the command. `cursor` is that of its bucket, read before the hash."""
        if cursor >= self.position:
            return True
        if not self.has_registers:
            return False
        written = self.registers.get(checksum(key))
        if written is None:
            return True
        shown = dict[int, int]()
        for field, value in fields.items():
            number = checksum(field)
            shown[number] = min(version_of(value), shown.get(number, LARGEST))
        return all(shown.get(field, 0) >= version for field, version in written.items())


def token_text(identity: str, epoch: int, position: int, registers: Collection[WrittenRegister] | None) -> str:
    """Return the token of a command that has written these registers. None means that the token can't name them."""
    kept = {(checksum(one.key), checksum(one.field)): one.version for one in registers or ()}
    has_registers = registers is not None and len(kept) == len(registers) <= MOST_REGISTERS
    head = HEAD.pack(VERSION, has_registers, identity[:KEPT_IDENTITY].encode(), epoch, position)
    packed = (REGISTER.pack(*names, version) for names, version in kept.items()) if has_registers else ()
    return urlsafe_b64encode(head + b"".join(packed)).rstrip(b"=").decode()


def checksum(text: str) -> int:
    return crc32(text.encode())


def version_of(stored: str) -> int:
    """Return the version of a stored register, or 0 if it can't be parsed."""
    return version_in(stored) or 0
