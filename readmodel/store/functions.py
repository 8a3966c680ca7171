"""The Redis Functions of the read model: how to load and call them."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, NamedTuple, cast

from redis import Redis

from readmodel.store import keys
from readmodel.store.connection import RedisCommand
from readmodel.store.names import Names
from readmodel.store.registers import Register

SOURCES = ("registers.lua", "compare.lua")
"""The files of the library. The first one begins with its name."""
NOT_APPLIED, APPLIED, CACHED_MEMBER_CHANGED = 0, 1, 2
"""The results of the function `apply`."""


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
    registers: Iterable[Register],
    identity: str,
    step: Step | None = None,
) -> RedisCommand:
    """Return the call that applies registers to a bucket of this history, and moves its cursor if a step is given."""
    redis_keys = [f"{generation}:{keys.cursor(bucket)}"]
    expected, position, mark = step or ("", "", "")
    values: list[str | int | bytes] = [expected, position]
    for register in registers:
        key = f"{generation}:{register.key}"
        redis_keys += (key, key if register.former_key is None else f"{generation}:{register.former_key}")
        values += (register.field, register.version, register.value)
    redis_keys.append(f"{generation}:{keys.history(bucket)}")
    values += (identity, mark)
    return ("FCALL", names.apply, len(redis_keys), *redis_keys, *values)


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
    redis: Redis, names: Names, places: tuple[bytes, bytes], field: str, found: str | None, expected: str | None
) -> bool:
    """Correct a register if it still holds what was found. Return True if this call corrected it.

    `places` are its key, and the other key in which it may be, or the same key again. None means a missing field.
    """
    values: list[Any] = [
        value.encode(errors="surrogateescape") for value in (field, optional_text(found), optional_text(expected))
    ]
    return bool(redis.fcall(names.repair, 2, *cast("tuple[Any, Any]", places), *values))


def delete_no_hash(redis: Redis, names: Names, key: bytes) -> bool:
    """Delete the key if it is no hash. Return True if this call deleted it."""
    return bool(redis.fcall(names.repair, 1, cast("Any", key)))


def optional_text(value: str | None) -> str:
    """Return a text that distinguishes a missing value from an empty one."""
    return "" if value is None else f"={value}"
