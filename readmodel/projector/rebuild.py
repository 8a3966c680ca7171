"""Rebuilds the views from the log into a new generation, beside the one that is read, and switches to it.

1. Fill the new generation, which nobody else knows.
2. Announce it: from now on every writer writes both, and looks before it answers whether there is one more to write.
3. Catch up to where the log was after the announcement: what was committed before it may have missed the new one.
4. Verify.
5. Switch. The former generation is still written until its readers have left it; then it is dropped.

A rebuild that is killed leaves the live generation as it was; the next one clears up after it.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from readmodel.projector.fold import fold
from readmodel.projector.follow import Events, Log, advance
from readmodel.store import generations, keys
from readmodel.store.connection import Wire
from readmodel.store.generations import Generations
from readmodel.store.registers import decode
from readmodel.store.store import ModelAbsent, Store
from readmodel.views import products

POLL = 0.02
READ_AT_ONCE = 40_000
"""In larger pages more folds away, but not much more."""
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
    """Write all that the log holds; return the number of events, and the last version of each product.

    While a page is folded, the next one is read and the one before is written: three pages are held at a time.
    """
    wire, versions = Wire(redis), dict[str, int]()
    applied, end = 0, log.end()
    generations.begin(redis, new, log.identity())
    with no_search_for_cycles(), ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        written: Future[bool] | None = None
        for events, cursor, position in pages(log, end, reader):
            commands = generations.filling(new, fold(noting(versions, events)), position)
            make_sure_of(written)
            written = writer.submit(generations.fill, wire, commands, cursor)
            applied += len(events)
            progress(applied, position, max(position, end))
        make_sure_of(written)
    try:
        generations.open_for_writers(redis, new)
    except ResponseError as error:
        raise RebuildFailed(LOST) from error
    return applied, versions


@contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """Nothing that is made of events is in a cycle; to search it for cycles took a fifth of the whole time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def pages(log: Log, end: int, reader: Executor) -> Iterator[tuple[Events, int, int]]:
    """The events of each page, and the cursors before and behind it; the next page is being read meanwhile."""
    cursor = 0
    page = reader.submit(log.read, cursor, READ_AT_ONCE)
    while cursor < end:
        events, position = page.result()
        if position == cursor:
            break  # What follows is not committed yet.
        if position < end:
            page = reader.submit(log.read, position, READ_AT_ONCE)
        yield events, cursor, position
        cursor = position


def noting(versions: dict[str, int], events: Events) -> Iterator[Mapping[str, Any]]:
    for event in events:
        versions[event["sku"]] = event["version"]
        yield event


def make_sure_of(written: Future[bool] | None) -> None:
    if written is not None and not written.result():
        raise RebuildFailed(LOST)


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
