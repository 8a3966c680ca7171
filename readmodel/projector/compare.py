"""Compares the hashes of two generations, while workers and the relay write both. Lists follow from the hashes.

A writer sets a register in one generation shortly before it sets the other. So this module compares again what differs.
A register counts if it differs each time, and if one of its two values never changes. Two values that both change show
that writers reach both generations.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from redis.exceptions import ResponseError

from readmodel.projector.verification.differences import NO_HASH, Difference
from readmodel.projector.verification.expected import Place
from readmodel.projector.verification.hashes import stored_name
from readmodel.store import functions, keys
from readmodel.store.connection import ThreadConnection
from readmodel.store.formats import format_of
from readmodel.store.lists import is_list
from readmodel.store.store import Store

logger = logging.getLogger(__name__)

ROUNDS, PAUSE = 10, 0.1
"""Further comparisons of what differs, and the seconds before each of them.

If a writer dies between its two writes, the relay completes them in this time.
"""
SCANNED_AT_ONCE, PAGE = 1_000, 5_000
"""Keys. Larger pages save little time, but a call then blocks Redis for longer."""
MOST_DIFFERENCES = 10_000
"""The comparison ends early at this number of registers. The further comparisons of more would need many seconds."""
EXAMPLES = 10

Values = tuple[str | None, str | None]
"""The values of a register in the former and in the new generation."""


class Report(NamedTuple):
    """The number of registers that differ, and some of them: `found` in the former generation, `expected` in the new.

    If it is not complete, at least that number of registers differs.
    """

    registers: int
    examples: list[Difference]
    complete: bool

    def __str__(self) -> str:
        if not self.registers:
            return (
                "The former views were the same"
                if self.complete
                else "The comparison with the former views ended early"
            )
        least = "" if self.complete else "at least "
        noun = "register" if self.registers == 1 else "registers"
        return f"The former views differed in {least}{self.registers} {noun}, for example {self.examples[0]}"


def compared(store: Store, former: str | None, new: str) -> Report | None:
    """Compare the views. Return None if Redis refuses that: the report must not prevent the switch.

    Also return None if there are no former views, or if they have another format.
    """
    if former is None or format_of(former).number != format_of(new).number:
        return None
    try:
        return compare(store, former, new)
    except ResponseError as error:
        logger.warning("The rebuild could not compare the views: %s", error)
        return None


def compare(store: Store, former: str, new: str) -> Report:
    """Compare the views of two generations. The store must be installed. Raise RedisError."""
    pairs = HashPairs(store, former, new)
    first, complete = pairs.all_differing()
    last = first
    for _ in range(ROUNDS):
        if not last:
            break
        time.sleep(PAUSE)
        now = pairs.differing({key for key, _ in last})
        last = {place: now[place] for place in last if place in now and is_stuck(first[place], now[place])}
    examples = [Difference(*place, *values) for place, values in islice(last.items(), EXAMPLES)]
    return Report(len(last), examples, complete)


def is_stuck(before: Values, now: Values) -> bool:
    return before[0] == now[0] or before[1] == now[1]


class Page(NamedTuple):
    """Keys of the former generation, and keys of the new one. They do not contain the generation."""

    former: list[str]
    new: list[str]


class HashPairs:
    """The pairs of hashes of two generations. Redis compares them, and returns only the registers that differ."""

    def __init__(self, store: Store, former: str, new: str) -> None:
        self._connection = ThreadConnection(store.redis)
        self._names = store.names
        self._former = former
        self._new = new

    def all_differing(self) -> tuple[dict[Place, Values], bool]:
        """Return up to MOST_DIFFERENCES registers that differ, and whether these are all of them."""
        found: dict[Place, Values] = {}
        for page in read_ahead(self._pages()):
            found |= self.differing(page.new)
            found |= self.differing(self._missing(page.former))
            if len(found) > MOST_DIFFERENCES:
                return dict(islice(found.items(), MOST_DIFFERENCES)), False
        return found, True

    def differing(self, view_keys: Iterable[str]) -> dict[Place, Values]:
        """Return the registers of these keys that differ. Redis reads both hashes of a key in one call."""
        found: dict[Place, Values] = {}
        groups = by_bucket(view_keys)
        while groups:
            commands = [functions.compare_command(self._names, self._pairs(group), NO_HASH) for group in groups]
            replies = zip(groups, self._connection.send(commands), strict=True)
            groups = []
            for group, (compared, *differing) in replies:
                found |= {(group[pair - 1], field): (former, new) for pair, field, former, new in differing}
                if compared < len(group):
                    groups.append(group[compared:])
        return {place: values for place, values in found.items() if place[0] not in keys.ORGANISING_KEYS}

    def _pairs(self, view_keys: Iterable[str]) -> list[bytes]:
        return [stored_name(generation, key) for key in view_keys for generation in (self._former, self._new)]

    def _missing(self, view_keys: Iterable[str]) -> Iterator[str]:
        """Yield all keys of a bucket if the new generation lacks one of them."""
        groups = by_bucket(view_keys)
        commands = [("EXISTS", *(stored_name(self._new, key) for key in group)) for group in groups]
        for group, existing in zip(groups, self._connection.send(commands), strict=True):
            if existing < len(group):
                yield from group

    def _pages(self) -> Iterator[Page]:
        former, new, page = f"{self._former}:", f"{self._new}:", Page([], [])
        for names in self._scan():
            page.former.extend(hashes_of(former, names))
            page.new.extend(hashes_of(new, names))
            if len(page.former) + len(page.new) >= PAGE:
                yield page
                page = Page([], [])
        yield page

    def _scan(self) -> Iterator[list[str]]:
        """Yield the keys of every generation of this service."""
        cursor, pattern = "0", self._names.generation("[0-9]*:{[0-9][0-9]}:*")
        while True:
            command = ("SCAN", cursor, "MATCH", pattern, "COUNT", SCANNED_AT_ONCE)
            [(cursor, names)] = self._connection.send([command])
            yield names
            if cursor == "0":
                return


def hashes_of(start: str, names: Iterable[str]) -> Iterator[str]:
    """Yield the names that begin with `start`, without it, and without those of lists."""
    return (name[len(start) :] for name in names if name.startswith(start) and not is_list(name[len(start) :]))


def by_bucket(view_keys: Iterable[str]) -> list[list[str]]:
    buckets: dict[str, list[str]] = defaultdict(list)
    for key in view_keys:
        buckets[keys.bucket_of(key)].append(key)
    return list(buckets.values())


def read_ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """Yield the pages. Meanwhile, a thread reads the next page."""
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(next, pages, None)
        while (page := following.result()) is not None:
            following = reader.submit(next, pages, None)
            yield page
