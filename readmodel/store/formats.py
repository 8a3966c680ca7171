"""The format of a generation: how its keys hold the views. The name of a generation ends with its format.

    g7        format 1, of release 0.2.0: JSON objects, and no lists
    g7.2      format 2: order lines as JSON arrays, and lists
    g7.2.100  format 2 with the history of orders: the newest 100 events of each order

So a process never misreads a generation. If it does not know the format, it reports that.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from readmodel.store.errors import UnknownFormat

SUFFIX = r"(?:\.[0-9a-z]+)*"
PARTS = re.compile(r"((?:[a-z0-9_]+:)?g\d+)(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?")
LISTS = 2
"""The first format with lists."""
NEWEST = 2
"""The format in which `allocation rebuild` builds the views."""


class Format(NamedTuple):
    """`kept` is the number of events that the history of an order keeps. With 0, there is no such history."""

    number: int
    kept: int = 0

    @property
    def suffix(self) -> str:
        """The end of a generation's name."""
        if self.number == 1:
            return ""
        return f".{self.number}.{self.kept}" if self.kept else f".{self.number}"

    @property
    def has_lists(self) -> bool:
        return self.number >= LISTS


FORMAT_1, DEFAULT = Format(1), Format(NEWEST, kept=100)


def newest(kept: int) -> Format:
    """Return the format in which this release builds the views, with this many events in the history of an order."""
    return Format(NEWEST, kept)


@lru_cache(maxsize=100)
def format_of(generation: str) -> Format:
    """Return the format in a generation's name. Raise UnknownFormat."""
    if match := PARTS.fullmatch(generation):
        found = Format(int(match[2] or 1), int(match[3] or 0))
        if found.number <= NEWEST and f"{match[1]}{found.suffix}" == generation:
            return found
    raise UnknownFormat(generation)


def is_known(generation: str) -> bool:
    try:
        format_of(generation)
    except UnknownFormat:
        return False
    return True
