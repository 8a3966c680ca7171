"""Rebuilds the views from the log into a new generation, beside the one that is read, and switches to it.

1. Fill the new generation, which nobody else knows.
2. Announce it: from now on every writer writes both, and looks before it answers whether there is one more to write.
3. Catch up to where the log was after the announcement: what was committed before it may have missed the new one.
4. Verify.
5. Switch. The former generation is still written until its readers have left it; then it is dropped.

A rebuild that is killed leaves the live generation as it was; the next one clears up after it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice

from redis import Redis
from redis.exceptions import RedisError

from readmodel import generations, keys
from readmodel.follower import Log, advance
from readmodel.generations import Generations
from readmodel.projections import fold, products
from readmodel.registers import decode
from readmodel.store import Store

POLL = 0.02
VERIFIED_AT_ONCE = 10_000

Progress = Callable[[int, int, int], None]
"""Called with the number of events applied so far, the position reached and the position at which the log ends."""


class RebuildFailed(Exception):
    """The live generation is as it was."""


def rebuild(store: Store, log: Log, progress: Progress = lambda *_: None) -> int:
    """Build a new generation from the log and make it the live one; return the number of events.

    Only one may run at a time. Raises RebuildFailed; whatever the log and Redis raise.
    """
    store.install()
    redis = store.redis
    seen = store.generations()
    before = Generations(seen.live)
    swap(redis, seen, before)
    generations.drop_all_but(redis, before.live)
    new = generations.next_name(redis)
    events, versions = fill(redis, log, new, progress)
    with announced(redis, before, Generations(before.live, new)) as both:
        catch_up(store, log, new)
        verify(redis, new, versions)
        swap(redis, both, Generations(new, before.live))
    swap(redis, Generations(new, before.live), Generations(new))
    generations.drop_all_but(redis, new)
    return events


def fill(redis: Redis, log: Log, new: str, progress: Progress) -> tuple[int, dict[str, int]]:
    """Write all that the log holds; return the number of events, and the last version of each product."""
    versions: dict[str, int] = {}
    cursor, applied, end = 0, 0, log.end()
    events, position = log.read(cursor)
    while position > cursor:
        generations.fill(redis, new, fold(events))
        versions.update((event["sku"], event["version"]) for event in events)
        cursor, applied = position, applied + len(events)
        progress(applied, cursor, max(cursor, end))
        events, position = log.read(cursor)
    generations.open_for_writers(redis, new, cursor)
    return applied, versions


@contextmanager
def announced(redis: Redis, before: Generations, both: Generations) -> Iterator[Generations]:
    swap(redis, before, both)
    try:
        yield both
    except BaseException:
        with suppress(RedisError):
            generations.swap(redis, both, before)
        raise


def catch_up(store: Store, log: Log, new: str) -> None:
    end = log.end()
    while (store.cursor(new) or 0) < end:
        if not advance(store, log, new):
            time.sleep(POLL)  # A transaction from before the announcement is still open.


def verify(redis: Redis, new: str, versions: Mapping[str, int]) -> None:
    """Every product that the log told of must stand in the new generation, at its last version or a later one."""
    skus, missing = iter(versions), list[str]()
    while chunk := list(islice(skus, VERIFIED_AT_ONCE)):
        pipeline = redis.pipeline(transaction=False)
        for sku in chunk:
            pipeline.hget(f"{new}:{keys.product(sku)}", products.TOTALS)
        stored = zip(chunk, pipeline.execute(), strict=True)
        missing += [sku for sku, value in stored if value is None or decode(value)[0] < versions[sku]]
    if missing:
        raise RebuildFailed(f"{len(missing)} products are not what the log says, {missing[0]!r} among them")


def swap(redis: Redis, expected: Generations, new: Generations) -> None:
    if not generations.swap(redis, expected, new):
        raise RebuildFailed("The read model was flushed, or rebuilt by another process, in the meantime")
