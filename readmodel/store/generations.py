"""A generation is a complete copy of the views. Readers use the live generation.

A rebuild fills a new generation, and then makes it the live generation.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, cast
from uuid import uuid4

from redis import Redis
from redis.exceptions import ResponseError

from readmodel.store import functions, keys
from readmodel.store.connection import PackedCommands, RedisCommand, ThreadConnection, pack
from readmodel.store.errors import ModelDamaged
from readmodel.store.formats import SUFFIX, Format, format_of, is_known
from readmodel.store.functions import Write
from readmodel.store.lists import Entry, entries_of
from readmodel.store.names import Names
from readmodel.store.records.progress import milliseconds
from readmodel.store.registers import Register

DROPPED_AT_ONCE, WRITTEN_AT_ONCE = 1_000, 5_000
NAME = rf"(?:[a-z0-9_]+:)?g\d+{SUFFIX}"
PAIR = re.compile(rf"({NAME})?( {NAME})?")


class Generations(NamedTuple):
    """The generation that readers use, and a second generation that writers also write."""

    live: str | None = None
    other: str | None = None

    @classmethod
    def parse(cls, stored: str | None) -> "Generations":
        """Raise ModelDamaged if the text names no generations, and UnknownFormat for the live one."""
        if not PAIR.fullmatch(stored or ""):
            raise ModelDamaged(f"the key of the generations holds {stored!r}")
        live, _, other = (stored or "").partition(" ")
        if live:
            format_of(live)
        return cls(live or None, other or None)

    def __str__(self) -> str:
        return f"{self.live or ''} {self.other or ''}".rstrip()

    @property
    def written(self) -> list[str]:
        """The generations that this release writes. A newer release may be building the other one."""
        return [generation for generation in self if generation and is_known(generation)]


def new_name(redis: Redis, names: Names, live: str | None, wanted: Format) -> str:
    """Return a name that no generation has, with the wanted format. `live` is the only generation that exists."""
    while (number := names.generation(next_number(redis, names))) == (live or "").partition(".")[0]:
        pass
    return f"{number}{wanted.suffix}"


def next_number(redis: Redis, names: Names) -> int:
    try:
        number = int(redis.incr(names.generation_counter))
    except ResponseError:  # It is no number, or the largest one.
        number = 0
    if number < 1:
        redis.delete(names.generation_counter)  # Start again: `new_name` skips the live generation.
        number = int(redis.incr(names.generation_counter))
    return number


def swap(redis: Redis, names: Names, expected: Generations, new: Generations) -> bool:
    """Replace the stored generations, which readers and writers check. Return False if they differ from `expected`."""
    return functions.swap_generations(redis, names, str(expected), str(new))


class Listed:
    """The entries that the registers of a new generation have in its lists.

    A fill collects them and writes them at its end. So it never has to look up an entry that a later page removes.
    """

    def __init__(self) -> None:
        self._values: dict[tuple[tuple[str, ...], str], bytes] = {}

    def note(self, register: Register) -> None:
        place, value = (register.lists, register.name), register.value
        if b":" in value[: value.index(b" ")]:
            self._values[place] = value
        else:
            self._values.pop(place, None)

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield the key and the content of each entry."""
        for (lists, name), value in self._values.items():
            yield from entries_of(lists, name, value.decode())


def begin_filling(redis: Redis, names: Names, generation: str, identity: str, epoch: int) -> None:
    """Create the buckets of a generation, each filled up to position 0, from this history."""
    begun = milliseconds(cast("tuple[str, str]", redis.time()))
    pipeline = redis.pipeline(transaction=False)
    # A flush resets the counter, so an earlier generation may have had this name. Caches must not mix the two.
    pipeline.set(names.cache_token, uuid4().hex)
    for bucket in keys.BUCKETS:
        pipeline.set(f"{generation}:{keys.filled(bucket)}", 0)
        history = {"identity": identity, "epoch": epoch, "mark": "", "begun": begun}
        pipeline.hset(f"{generation}:{keys.history(bucket)}", mapping=cast("Any", history))
    pipeline.execute()


def pack_page(generation: str, writes: Iterable[Write], position: int, listed: Listed) -> PackedCommands:
    """Return commands that set registers without comparing versions, and add entries. Also update `listed`.

    They also set the position of each bucket and return the old position, which `write_page` checks.
    """
    fields_of: dict[str, list[str | bytes]] = defaultdict(list)
    moved_from: dict[str, list[str]] = defaultdict(list)
    members_of: dict[str, list[str | bytes]] = defaultdict(list)
    for write in writes:
        if isinstance(write, Entry):
            members_of[write.key] += ("0", write.member)
            continue
        fields_of[write.key] += (write.field, write.value)
        if write.former_key is not None:
            moved_from[write.former_key].append(write.field)
        if write.lists:
            listed.note(write)
    commands: list[RedisCommand] = [
        ("SET", f"{generation}:{keys.filled(bucket)}", position, "GET") for bucket in keys.BUCKETS
    ]
    commands += [("HDEL", f"{generation}:{key}", *fields) for key, fields in moved_from.items()]
    commands += [("HSET", f"{generation}:{key}", *fields) for key, fields in fields_of.items()]
    kept = format_of(generation).kept
    for key, members in members_of.items():
        commands.append(("ZADD", f"{generation}:{key}", *members))
        commands.append(("ZREMRANGEBYRANK", f"{generation}:{key}", 0, -kept - 1))
    return pack(commands)


def write_lists(connection: ThreadConnection, generation: str, listed: Listed) -> None:
    """Write the entries of all registers to the lists of a generation that no other process uses yet."""
    entries = iter(listed.entries())
    while part := list(islice(entries, WRITTEN_AT_ONCE)):
        connection.send([("ZADD", f"{generation}:{key}", 0, member) for key, member in part])


def write_page(connection: ThreadConnection, page: PackedCommands, cursor: int) -> bool:
    """Write a page to a generation that no other process uses yet.

    Return False if a bucket was not at `cursor`: then Redis has lost data since the previous page.
    """
    return set(connection.send_packed(page)[: len(keys.BUCKETS)]) == {str(cursor)}


def open_for_writers(redis: Redis, generation: str, mark: str) -> None:
    """Turn the `filled` position of each bucket into its cursor with this mark. The bucket then accepts registers.

    Raise ResponseError if a bucket has no `filled` position.
    """
    pipeline = redis.pipeline(transaction=False)
    for bucket in keys.BUCKETS:
        pipeline.hset(f"{generation}:{keys.history(bucket)}", "mark", mark)
        pipeline.rename(f"{generation}:{keys.filled(bucket)}", f"{generation}:{keys.cursor(bucket)}")
    pipeline.execute()


def drop_all_but(redis: Redis, names: Names, *kept: str | None) -> None:
    """Delete all generations but `kept`, cursors first. Without its cursor, a bucket accepts no late writes.

    So no key appears that the second scan could miss.
    """
    connection = ThreadConnection(redis)
    for pattern in ("[0-9]*:{[0-9][0-9]}:cursor", "[0-9]*:{[0-9][0-9]}:*"):
        found = redis.scan_iter(match=names.generation(pattern), count=DROPPED_AT_ONCE)
        while chunk := list(islice(found, DROPPED_AT_ONCE)):
            doomed = (key for key in chunk if generation_of(key) not in kept)
            delete(connection, [key for key in doomed if is_generation(generation_of(key), names)])


def delete(connection: ThreadConnection, names: Iterable[str]) -> None:
    connection.send([("UNLINK", name.encode(errors="surrogateescape")) for name in names])


def generation_of(key: str) -> str:
    return key.partition(":{")[0]


def is_generation(text: str, names: Names) -> bool:
    """Return whether this is the name of a generation. The pattern of SCAN also finds keys of a service named g1."""
    return re.fullmatch(names.generation(r"\d+", SUFFIX), text) is not None
