"""How many keys and bytes each generation has. The work is bounded, so a large read model gets an estimate."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from readmodel.store.generations import generation_of, is_generation
from readmodel.store.names import Names

SCANNED, SCANNED_AT_ONCE = 10_000, 1_000
MEASURED = 200
"""Keys of each generation. Redis measures one key in about a microsecond."""


@dataclass(frozen=True)
class Size:
    """The keys of a generation, and their bytes. Unless it is `exact`, the number of keys follows from a sample.

    The bytes are those of up to MEASURED keys, times the number of keys.
    """

    keys: int
    bytes: int
    exact: bool


def read_sizes(redis: Redis, names: Names, total: int) -> dict[str, Size]:
    """Map each generation to its size. `total` is the number of keys of the database.

    If the user of Redis may not look at the keys, return nothing. Raise RedisError if Redis is unavailable.
    """
    try:
        found, scanned, complete = sample(redis, names)
        return {
            generation: size_of(redis, keys, 1.0 if complete else max(1.0, total / scanned))
            for generation, keys in found.items()
        }
    except ResponseError:
        return {}


def sample(redis: Redis, names: Names) -> tuple[dict[str, list[str]], int, bool]:
    """Return keys by generation, the number of keys that the scan has seen, and whether it has seen every key.

    A scan returns keys in the order of their hashes, so its first keys are a random sample.
    """
    found: dict[str, list[str]] = defaultdict(list)
    cursor, seen = 0, set[str]()
    while True:
        reply: Any = redis.scan(cursor, count=SCANNED_AT_ONCE)
        cursor, keys = int(reply[0]), set(reply[1]) - seen  # A scan may return a key twice.
        seen |= keys
        for key in keys:
            if is_generation(generation_of(key), names):
                found[generation_of(key)].append(key)
        if not cursor or len(seen) >= SCANNED:
            return found, len(seen), not cursor


def size_of(redis: Redis, keys: list[str], factor: float) -> Size:
    """Return the size of the generation that has these keys. `factor` is above 1 if they are a part of its keys."""
    with redis.pipeline(transaction=False) as pipeline:
        for key in keys[:MEASURED]:
            pipeline.execute_command("MEMORY", "USAGE", key.encode(errors="surrogateescape"))
        measured = [size for size in pipeline.execute() if size is not None]  # The key may be gone.
    mean = sum(measured) / len(measured) if measured else 0.0
    return Size(round(len(keys) * factor), round(mean * len(keys) * factor), factor == 1.0)
