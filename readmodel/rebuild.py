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
from redis.exceptions import RedisError, ResponseError

from readmodel import generations, keys
from readmodel.follower import Log, advance
from readmodel.generations import Generations
from readmodel.projections import fold, products
from readmodel.registers import decode
from readmodel.store import ModelAbsent, Store

POLL = 0.02
VERIFIED_AT_ONCE = 10_000
LOST = "The read model was flushed, or rebuilt by another process, in the meantime"

Progress = Callable[[int, int, int], None]
"""Called with the number of events applied so far, the position reached and the position at which the log ends."""


class RebuildFailed(Exception):
    """The live generation is as it was."""


def rebuild(store: Store, log: Log, progress: Progress = lambda *_: None) -> int:
    """Build a new generation from the log and make it the live one; return the number of events.

    Only one may run at a time. Raises RebuildFailed; whatever the log, Redis and `progress` raise.
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
        catch_up(store, log, both)
        verify(redis, new, versions)
        swap(redis, both, Generations(new, before.live))
    swap(redis, Generations(new, before.live), Generations(new))
    generations.drop_all_but(redis, new)
    return events


def fill(redis: Redis, log: Log, new: str, progress: Progress) -> tuple[int, dict[str, int]]:
    """Write all that the log holds; return the number of events, and the last version of each product."""
    versions: dict[str, int] = {}
    cursor, applied, end = 0, 0, log.end()
    generations.begin(redis, new, log.identity())
    while cursor < end:
        events, position = log.read(cursor)
        if position == cursor:
            break  # What follows is not committed yet.
        if not generations.fill(redis, new, fold(events), cursor, position):
            raise RebuildFailed(LOST)
        versions.update((event["sku"], event["version"]) for event in events)
        cursor, applied = position, applied + len(events)
        progress(applied, cursor, max(cursor, end))
    try:
        generations.open_for_writers(redis, new)
    except ResponseError as error:
        raise RebuildFailed(LOST) from error
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


def catch_up(store: Store, log: Log, both: Generations) -> None:
    """Bring the other generation to where the log was after the announcement, and to where the live one is.

    A live one that is beyond the log (it was restored from a backup) is not what readers are to be shown.
    """
    end, identity = log.end(), log.identity()
    try:
        while (cursor := reached(store, both.other, identity)) < end or (
            cursor < reached(store, both.live, identity) <= log.end()
        ):
            if not advance(store, log, both.other or ""):
                time.sleep(POLL)  # A transaction from before the announcement is still open.
    except ModelAbsent as error:
        raise RebuildFailed(LOST) from error


def reached(store: Store, generation: str | None, log: str) -> int:
    return (generation and store.cursor(generation, log)) or 0


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
        raise RebuildFailed(LOST)
