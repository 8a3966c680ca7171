"""Reads hashes of a generation, several in one trip to Redis. If a key is no hash, its result is None."""

from collections.abc import Mapping, Sequence
from typing import Any

from redis import Redis
from redis.client import Pipeline

from readmodel.store.connection import damage_in

Fields = dict[str, str]


def read_fields(redis: Redis, generation: str, wanted: Mapping[str, Sequence[str]]) -> dict[str, Fields | None]:
    """Return the wanted fields of each key. Omit missing fields."""
    pipeline = redis.pipeline(transaction=False)
    for key, fields in wanted.items():
        pipeline.hmget(stored_name(generation, key), fields)
    found = dict[str, Fields | None]()
    for (key, fields), values in zip(wanted.items(), results(pipeline), strict=True):
        found[key] = None if values is None else {f: v for f, v in zip(fields, values, strict=True) if v is not None}
    return found


def scan_fields(
    redis: Redis, generation: str, places: Mapping[str, int], count: int
) -> tuple[dict[str, Fields | None], dict[str, int]]:
    """Return about `count` fields of each key, and the places of the keys that have more.

    `places` maps each key to the cursor of its scan, at first 0. A scan may return a field twice.
    """
    pipeline = redis.pipeline(transaction=False)
    for key, cursor in places.items():
        pipeline.hscan(stored_name(generation, key), cursor, count=count)
    scanned = dict(zip(places, results(pipeline), strict=True))
    found = {key: None if part is None else part[1] for key, part in scanned.items()}
    return found, {key: part[0] for key, part in scanned.items() if part is not None and part[0] != 0}


def results(pipeline: Pipeline) -> list[Any]:
    found = pipeline.execute(raise_on_error=False)
    for error in found:
        if isinstance(error, Exception) and damage_in(error) is None:
            raise error
    return [None if isinstance(result, Exception) else result for result in found]


def stored_name(generation: str, key: str) -> Any:
    """Return the name of the key in Redis, as bytes. The client decodes bytes that are not UTF-8 as surrogates."""
    return f"{generation}:{key}".encode(errors="surrogateescape")
