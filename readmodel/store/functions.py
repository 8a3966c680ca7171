"""The Redis Functions of the read model: how to load and call them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple, cast

from redis import Redis
from redis.exceptions import ResponseError

from readmodel.store import keys
from readmodel.store.connection import RedisCommand
from readmodel.store.formats import format_of
from readmodel.store.lists import Entry
from readmodel.store.names import Names
from readmodel.store.registers import Register

Write = Register | Entry

SOURCES = ("registers.lua", "repair.lua", "compare.lua")
"""The files of the library. The first one begins with its name."""
NOT_APPLIED, APPLIED, CACHED_MEMBER_CHANGED = 0, 1, 2
"""The results of the function `apply`."""
MOVE, ADD = "move", "add"
"""The kinds of writes that registers.lua describes. The third kind is the number of lists of a register."""
STORED = "surrogateescape"
"""How the client decodes bytes that are not UTF-8."""


class Step(NamedTuple):
    """Moves cursors that have reached `expected` to `position`. `mark` names the last event at or below `position`."""

    expected: int
    position: int
    mark: str


def load_functions(redis: Redis, names: Names, cached_members: Mapping[str, str]) -> None:
    """Load the library, or replace it. `cached_members` maps a field to the JSON member that readers cache."""
    entries = ", ".join(f"['{field}'] = '{member}'" for field, member in cached_members.items())
    source = "".join(files("readmodel.store").joinpath(name).read_text() for name in SOURCES)
    # Functions belong to the whole server. A service of another version may use it, with another prefix.
    source = source.replace("readmodel", names.library).replace("--[[entries]]", entries)
    redis.function_load(source, replace=True)


def apply_command(
    names: Names,
    generation: str,
    bucket: str,
    writes: Iterable[Write],
    identity: str,
    step: Step | None = None,
) -> RedisCommand:
    """Return the call that applies writes to a bucket of this history, and moves its cursor if a step is given."""
    redis_keys = [keys.cursor(bucket), keys.history(bucket)]
    values: list[str | int | bytes] = [*(step or ("", "", "")), identity, format_of(generation).kept]
    for write in writes:
        if isinstance(write, Entry):
            redis_keys.append(write.key)
            values += (ADD, write.member)
        elif write.former_key is not None:
            redis_keys += (write.key, write.former_key)
            values += (MOVE, write.field, write.value)
        else:
            redis_keys += (write.key, *write.lists)
            values += (len(write.lists), write.field, write.value)
            if write.lists:
                values.append(write.name)
    return ("FCALL", names.apply, len(redis_keys), *(f"{generation}:{key}" for key in redis_keys), *values)


def relist_command(
    names: Names, generation: str, key: str, member: str, register_key: str, field: str, index: int
) -> RedisCommand:
    """Return the call that corrects one entry of a list: it adds or removes the entry, as its register says.

    `index` is the place of the list among the lists of the register, from 1. The reply is 1 if the call has changed the
    list, and otherwise 0.
    """
    redis_keys = [f"{generation}:{name}".encode(errors=STORED) for name in (key, register_key)]
    values = [text.encode(errors=STORED) for text in (member, field)]
    return ("FCALL", names.relist, 2, *redis_keys, *values, index)


def compare_command(names: Names, pairs: Iterable[bytes], no_hash: str) -> RedisCommand:
    """Return the call that compares pairs of hashes of one bucket. `no_hash` is the value of other types.

    Its reply is the number of compared pairs, and a list for each register that differs: the number of its pair, which
    starts at 1, its field and its two values. None means that a value is missing, or that the key has no field.
    """
    redis_keys = list(pairs)
    return ("FCALL_RO", names.compare, len(redis_keys), *redis_keys, no_hash)


def swap_generations(redis: Redis, names: Names, expected: str, new: str) -> bool:
    """Set the stored generations if they have the expected value. Return True if this call set them."""
    return bool(redis.fcall(names.swap, 1, names.generations, expected, new))


def repair(
    redis: Redis,
    names: Names,
    places: Sequence[bytes],
    field: str,
    found: str | None,
    expected: str | None,
    name: str,
) -> bool:
    """Correct a register if it still holds what was found. Return True if this call corrected it.

    `places` are its key, the other key in which it may be, or the same key again, and its lists. `name` is that of its
    entries. None means a missing field.
    """
    values: list[Any] = [
        value.encode(errors=STORED) for value in (field, optional_text(found), optional_text(expected), name)
    ]
    return bool(redis.fcall(names.repair, len(places), *cast("Sequence[Any]", places), *values))


def delete_other_type(redis: Redis, names: Names, key: bytes, kept: str) -> bool:
    """Delete the key if its type is not `kept`: "hash" or "zset". Return True if this call deleted it."""
    return bool(redis.fcall(names.repair, 1, cast("Any", key), kept))


def is_missing_function(error: ResponseError) -> bool:
    """Return whether the error reports that the server does not have the library."""
    return "Function not found" in str(error)


def by_bucket(writes: Iterable[Write]) -> dict[str, list[Write]]:
    buckets = defaultdict(list)
    for write in writes:
        buckets[keys.bucket_of(write.key)].append(write)
    return buckets


def optional_text(value: str | None) -> str:
    """Return a text that distinguishes a missing value from an empty one."""
    return "" if value is None else f"={value}"
