"""Lists of the views: sorted sets whose entries all have the score 0, so that Redis sorts them by their bytes.

    {<bucket>}:list:<kind>:<identifier>   entries: order, name and value, with NUL between them

An entry's order decides its place in the list. The name identifies it, and its value is a copy of a register, or the
content of an event. A register names its orders, one for each of its lists. An empty order means that the register is
not in the list. The Redis Function derives the former entry from the former value of the register, and replaces it in
the call that sets the register. So a list always agrees with the registers of its bucket, in whatever order events
arrive, and however often.
"""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple
from zlib import crc32

from readmodel.store import keys
from readmodel.store.connection import RedisCommand
from readmodel.store.errors import ModelDamaged
from readmodel.store.registers import LARGEST, LONGEST_SHOWN, orders_in

LIST = "list"
FIRST = "0"
"""The order of an entry that precedes dates, or that only its name sorts."""
LONGEST_NEXT = 2_000


class Entry(NamedTuple):
    """An entry to add to the list `key`, which keeps only its last entries. The key does not contain the generation."""

    key: str
    member: bytes


class ListEntry(NamedTuple):
    """An entry as a list holds it."""

    order: str
    name: str
    value: str


class Range(NamedTuple):
    """At most `most` entries of the list `key`, between two bounds of ZRANGE."""

    key: str
    most: int
    start: bytes = b"-"
    end: bytes = b"+"

    def command(self, generation: str) -> RedisCommand:
        return ("ZRANGE", f"{generation}:{self.key}", self.start, self.end, "BYLEX", "LIMIT", 0, self.most)


class PageRequest(NamedTuple):
    """`limit` is the most entries that the page may have. `after` is the `next` of the previous page, or None."""

    limit: int
    after: str | None = None


FIRST_PAGE = PageRequest(50)


class Page(NamedTuple):
    """Entries of a list, and the text from which the next page starts, or None after the last page."""

    entries: Sequence[ListEntry]
    next: str | None


class BadNext(ValueError):
    """The text, which is the argument, is no `next` of a page of this list."""


def list_key(kind: str, bucket: str, identifier: str = "") -> str:
    """Return the key of a list, for example {07}:list:waiting:SKU. A list of all products has no identifier."""
    return f"{bucket}:{LIST}:{kind}:{identifier}"


def is_list(key: str) -> bool:
    return key.startswith(f":{LIST}:", len(keys.BUCKETS[0]))


def kind_in(key: str) -> str:
    """Return the kind of a list."""
    return key.split(":", 3)[2]


def member(order: str, name: str, value: str) -> str:
    return f"{order}\0{name}\0{value}"


def entries_of(lists: Sequence[str], name: str, value: str) -> Iterator[tuple[str, str]]:
    """Yield the list and the content of each entry of a register with this stored value."""
    for key, order in zip(lists, orders_in(value), strict=False):
        if order:
            yield key, member(order, name, value)


def parse_entry(stored: str) -> ListEntry:
    """Raise ModelDamaged."""
    parts = stored.split("\0", 2)
    if len(parts) != 3:
        raise ModelDamaged(f"an entry of a list can't be parsed: {stored[:LONGEST_SHOWN]!r}")
    return ListEntry(*parts)


def ascending(number: int) -> str:
    """Return a text that sorts as the number does: a letter for the number of digits, and the digits."""
    digits = str(number)
    return f"{chr(ord('a') + len(digits) - 1)}{digits}"


def descending(number: int) -> str:
    """Return a text that sorts larger numbers first."""
    return ascending(LARGEST - number)


def range_of(key: str, wanted: PageRequest) -> Range:
    """Return the range of a page. It has one entry more than the page, which shows whether another page follows.

    Raise BadNext.
    """
    limit, after = wanted
    return Range(key, limit + 1) if after is None else Range(key, limit + 1, b"(" + decoded(after, key) + b"\xff")


def the_entry(key: str, order: str, name: str) -> Range:
    """Return the range with this entry. It is empty if the list does not have the entry."""
    start = member(order, name, "").encode()
    return Range(key, 1, b"[" + start, b"(" + start + b"\xff")


def page_of(key: str, parts: Iterable[Sequence[str]], wanted: PageRequest) -> Page:
    """Merge the ranges of one page. They are from the list `key`, or from all buckets of its list.

    Raise ModelDamaged.
    """
    members = sorted(chain.from_iterable(parts))
    entries = [parse_entry(stored) for stored in members[: wanted.limit]]
    return Page(entries, encoded(entries[-1], key) if len(members) > wanted.limit else None)


def encoded(last: ListEntry, key: str) -> str:
    """Return the start of the next page of this list, as an opaque text.

    A value that is no register names the entry, too.
    """
    version, separator, _ = last.value.partition("\0")
    start = member(last.order, last.name, version + separator if separator else "")
    return urlsafe_b64encode(checksum(key) + start.encode()).rstrip(b"=").decode()


def decoded(text: str, key: str) -> bytes:
    """Return the start of a page of this list. Raise BadNext."""
    try:
        data = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        start = data[len(checksum(key)) :]
        separators = start.decode().count("\0")
    except ValueError:
        raise BadNext(text) from None
    is_start = separators in {2, 3} and start.endswith(b"\0") and len(text) <= LONGEST_NEXT
    if not is_start or not data.startswith(checksum(key)):
        raise BadNext(text)
    return start


def checksum(key: str) -> bytes:
    """Return a checksum of the list's kind and identifier. A list that is divided among buckets has one checksum."""
    return crc32(key[len(keys.BUCKETS[0]) :].encode()).to_bytes(4)
