"""Reads hashes and lists of a generation, several in one trip to Redis. If a key has another type, its result is None.

The fields of a list are its entries. Each has the value LISTED.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from redis import Redis
from redis.client import Pipeline

from readmodel.store.connection import damage_in
from readmodel.store.functions import STORED
from readmodel.store.lists import is_list

Fields = dict[str, str]

LISTED = "an entry"


def read_fields(redis: Redis, generation: str, wanted: Mapping[str, Sequence[str]]) -> dict[str, Fields | None]:
    """Return the wanted fields of each key. Omit missing fields."""
    pipeline = redis.pipeline(transaction=False)
    for key, fields in wanted.items():
        names = [field.encode(errors=STORED) for field in fields]
        if is_list(key):
            pipeline.zmscore(stored_name(generation, key), cast("Any", names))
        else:
            pipeline.hmget(stored_name(generation, key), names)
    found = dict[str, Fields | None]()
    for (key, fields), values in zip(wanted.items(), results(pipeline), strict=True):
        found[key] = None if values is None else as_fields(key, zip(fields, values, strict=True))
    return found


def scan_fields(
    redis: Redis, generation: str, places: Mapping[str, int], count: int
) -> tuple[dict[str, Fields | None], dict[str, int]]:
    """Return about `count` fields of each key, and the places of the keys that have more.

    `places` maps each key to the cursor of its scan, at first 0. A scan may return a field twice.
    """
    pipeline = redis.pipeline(transaction=False)
    for key, cursor in places.items():
        scan = pipeline.zscan if is_list(key) else pipeline.hscan
        scan(stored_name(generation, key), cursor, count=count)
    scanned = dict(zip(places, results(pipeline), strict=True))
    found = {
        key: None if part is None else as_fields(key, part[1] if is_list(key) else part[1].items())
        for key, part in scanned.items()
    }
    return found, {key: part[0] for key, part in scanned.items() if part is not None and part[0] != 0}


def as_fields(key: str, found: Iterable[tuple[str, Any]]) -> Fields:
    """Return the fields that exist. A list has the score of each entry as its value."""
    listed = is_list(key)
    return {field: LISTED if listed else value for field, value in found if value is not None}


def results(pipeline: Pipeline) -> list[Any]:
    found = pipeline.execute(raise_on_error=False)
    for error in found:
        if isinstance(error, Exception) and damage_in(error) is None:
            raise error
    return [None if isinstance(result, Exception) else result for result in found]


def stored_name(generation: str, key: str) -> Any:
    """Return the name of the key in Redis, as bytes. The client decodes bytes that are not UTF-8 as surrogates."""
    return f"{generation}:{key}".encode(errors=STORED)
