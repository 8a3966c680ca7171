"""Fills a new generation from the whole log."""

import gc
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

from redis import Redis
from redis.exceptions import ResponseError

from readmodel.projector.faulty_events import fold_texts
from readmodel.projector.fold import Projection
from readmodel.projector.follow import History, Log, Page
from readmodel.projector.parking import Parked, park
from readmodel.store import generations
from readmodel.store.connection import ThreadConnection
from readmodel.store.formats import format_of
from readmodel.store.registers import version_in
from readmodel.store.store import Store
from readmodel.views.products import TOTALS, product_key

CHECKED_AT_ONCE = 10_000
READ_AT_ONCE = 40_000
"""Events per page. Larger pages would fold to only slightly fewer registers."""

Progress = Callable[[int, int, int], None]
"""Receives the number of applied events, the current position, and the end of the log."""


class ModelLost(Exception):
    """Keys of the new generation are missing, or another process has changed the generations."""


class Filled(NamedTuple):
    """The number of events up to position `end`, each product's last version, and what the views can't apply."""

    events: int
    end: int
    versions: dict[str, int]
    parked: list[Parked]


def fill(store: Store, log: Log, projection: Projection, new: str, history: History, progress: Progress) -> Filled:
    """Write the whole log, which has this history. Park the events that the views can't apply.

    While this function folds a page, threads read the next page and write the previous page. So it holds three pages.
    Raise ModelLost.
    """
    connection, versions, listed = ThreadConnection(store.redis), dict[str, int](), generations.Listed()
    applied, end, reached, mark, parked = 0, log.end(), 0, "", list[Parked]()
    generations.begin_filling(store.redis, store.names, new, history.identity, history.epoch)
    with no_garbage_collection(), ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        written: Future[bool] | None = None
        for events, cursor, position in read_pages(log, end, reader):
            folded = fold_texts(projection, events.texts, format_of(new))
            parked += park(log.letters, events, folded.faulty)
            versions |= folded.versions
            page, mark = generations.pack_page(new, folded.writes, position, listed), events.mark
            require_written(written)
            written = writer.submit(generations.write_page, connection, page, cursor)
            applied, reached = applied + len(events), position
            progress(applied, position, max(position, end))
        require_written(written)
        generations.write_lists(connection, new, listed)
    try:
        generations.open_for_writers(store.redis, new, mark)
    except ResponseError as error:
        raise ModelLost from error
    return Filled(applied, reached, versions, parked)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Turn off the cyclic garbage collector. Folding creates no cycles, but the collector used a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_pages(log: Log, end: int, reader: Executor) -> Iterator[tuple[Page, int, int]]:
    """Yield each page with the cursors before and after it. Meanwhile, `reader` reads the next page."""
    cursor = 0
    page = reader.submit(log.read, cursor, READ_AT_ONCE)
    while cursor < end:
        events, position = page.result()
        if position == cursor:
            break  # Later events are not committed yet.
        if position < end:
            page = reader.submit(log.read, position, READ_AT_ONCE)
        yield events, cursor, position
        cursor = position


def require_written(written: Future[bool] | None) -> None:
    if written is not None and not written.result():
        raise ModelLost


def outdated_totals(redis: Redis, generation: str, versions: Mapping[str, int]) -> list[str]:
    """Return the SKUs whose totals are missing in the generation, or have an older version than in `versions`."""
    skus, outdated = iter(versions), list[str]()
    while chunk := list(islice(skus, CHECKED_AT_ONCE)):
        pipeline = redis.pipeline(transaction=False)
        for sku in chunk:
            pipeline.hget(f"{generation}:{product_key(sku)}", TOTALS)
        stored = zip(chunk, pipeline.execute(), strict=True)
        outdated += [sku for sku, value in stored if (version_in(value or "") or 0) < versions[sku]]
    return outdated
