"""Rebuilds the views from the log into a new generation, beside the live one, and switches to it.

1. Fill the new generation, which no other process knows yet.
2. Announce it. From now on every writer writes both generations. Before it returns, a writer checks for a new one.
3. Catch up with the end of the log as it was after the announcement: writers before that may have missed the new one.
4. Verify.
5. Switch. Writers still write the former generation until it is dropped.

If a rebuild is killed, the live generation is unchanged, and the next rebuild deletes what this one left.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis import Redis
from redis.exceptions import RedisError

from readmodel.projector.fill import ModelLost, Progress, fill
from readmodel.projector.fold import Projection
from readmodel.projector.follow import Log, advance
from readmodel.projector.verify import outdated_products
from readmodel.store import generations
from readmodel.store.generations import Generations
from readmodel.store.snapshot import ModelAbsent
from readmodel.store.store import Store

POLL = 0.02


class RebuildFailed(Exception):
    """The live generation is unchanged."""


def rebuild(store: Store, log: Log, projection: Projection, progress: Progress = lambda *_: None) -> int:
    """Build a new generation from the log and make it live. Return the number of events.

    Only one rebuild may run at a time. Raises RebuildFailed, and what the log, Redis and `progress` raise.
    """
    store.install(projection.cached_members)
    redis, found = store.redis, store.generations()
    before = Generations(found.live)
    with losses_reported():
        swap(redis, found, before)
        generations.drop_all_but(redis, before.live)
        new = generations.new_name(redis)
        events, versions = fill(redis, log, projection, new, progress)
        with announced(redis, before, Generations(before.live, new)) as both:
            catch_up(store, log, projection, both)
            verify(redis, new, versions)
            swap(redis, both, Generations(new, before.live))
        swap(redis, Generations(new, before.live), Generations(new))
    generations.drop_all_but(redis, new)
    return events


@contextmanager
def losses_reported() -> Iterator[None]:
    try:
        yield
    except (ModelAbsent, ModelLost) as error:
        raise RebuildFailed("Redis was flushed, or another process has rebuilt the views in the meantime") from error


@contextmanager
def announced(redis: Redis, before: Generations, both: Generations) -> Iterator[Generations]:
    """Announce the new generation, and withdraw it if the rest of the rebuild fails."""
    swap(redis, before, both)
    try:
        yield both
    except BaseException:
        with suppress(RedisError):
            generations.swap(redis, both, before)
        raise


def catch_up(store: Store, log: Log, projection: Projection, both: Generations) -> None:
    """Advance the new generation to the end of the log, and to where the live one is.

    A live generation that is beyond the end of the log does not count: the log was restored from a backup.
    """
    end, identity = log.end(), log.identity()
    while (cursor := reached(store, both.other, identity)) < end or (
        cursor < reached(store, both.live, identity) <= log.end()
    ):
        if not advance(store, log, projection, both.other or ""):
            time.sleep(POLL)  # A transaction from before the announcement is still open.


def reached(store: Store, generation: str | None, log: str) -> int:
    return (generation and store.cursor(generation, log)) or 0


def verify(redis: Redis, new: str, versions: dict[str, int]) -> None:
    outdated = outdated_products(redis, new, versions)
    if outdated:
        raise RebuildFailed(f"{len(outdated)} products do not match the log, for example {outdated[0]!r}")


def swap(redis: Redis, expected: Generations, new: Generations) -> None:
    if not generations.swap(redis, expected, new):
        raise ModelLost
