"""Rebuilds the views from the log into a new generation, and switches to it. Readers use the live generation meanwhile.

1. Fill the new generation, which no other process knows yet.
2. Announce it. From now on, every writer writes both generations. A writer checks for announcements before it returns.
3. Read the log's end and catch up with it. A writer that returned earlier wrote only the live generation.
4. Verify that each product's totals are as new as the log.
5. Switch. Writers still write the former generation until it is dropped.

If a rebuild is killed, the live generation is unchanged. The next rebuild deletes the remains.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis import Redis
from redis.exceptions import RedisError

from readmodel.projector.fill import ModelLost, Progress, fill
from readmodel.projector.fold import Projection
from readmodel.projector.follow import Log, advance
from readmodel.projector.totals import outdated_totals
from readmodel.store import generations
from readmodel.store.errors import ModelAbsent, ModelDamaged
from readmodel.store.generations import Generations
from readmodel.store.store import Store

POLL = 0.02


class RebuildFailed(Exception):
    """The rebuild failed. If it had not switched yet, it left the live generation unchanged."""


def rebuild(store: Store, log: Log, projection: Projection, progress: Progress = lambda *_: None) -> int:
    """Build a new generation from the log and make it live. Return the number of events.

    Only one rebuild may run at a time. Raise RebuildFailed, and the errors of the log, Redis and `progress`.
    """
    store.install(projection.cached_members)
    with losses_reported():
        found = usable_generations(store)
        before = Generations(found.live)
        swap(store, found, before)
        generations.drop_all_but(store.redis, store.names, before.live)
        new = generations.new_name(store.redis, store.names, before.live)
        events, versions = fill(store, log, projection, new, progress)
        with announced(store, before, Generations(before.live, new)) as both:
            catch_up(store, log, projection, before.live, new)
            verify(store.redis, new, versions)
            swap(store, both, Generations(new, before.live))
        swap(store, Generations(new, before.live), Generations(new))
    generations.drop_all_but(store.redis, store.names, new)
    return events


def usable_generations(store: Store) -> Generations:
    """Return the generations. If their key is damaged, delete it: then there is no live generation."""
    try:
        return store.generations()
    except ModelDamaged:
        store.redis.delete(store.names.generations)
        return store.generations()


@contextmanager
def losses_reported() -> Iterator[None]:
    try:
        yield
    except (ModelAbsent, ModelLost) as error:
        raise RebuildFailed("Redis was flushed, or another process has rebuilt the views in the meantime") from error


@contextmanager
def announced(store: Store, before: Generations, both: Generations) -> Iterator[Generations]:
    """Announce the new generation, and withdraw it if the rest of the rebuild fails."""
    swap(store, before, both)
    try:
        yield both
    except BaseException:
        with suppress(RedisError):
            generations.swap(store.redis, store.names, both, before)
        raise


def catch_up(store: Store, log: Log, projection: Projection, live: str | None, new: str) -> None:
    """Advance the new generation to the end of the log and to the live generation's cursor.

    A live cursor beyond the end of the log does not count: the log was restored from a backup.
    """
    end, identity = log.end(), log.identity()
    while (cursor := cursor_of(store, new, identity)) < end or (cursor < cursor_of(store, live, identity) <= log.end()):
        if not advance(store, log, projection, new):
            time.sleep(POLL)  # A transaction from before the announcement is still open.


def cursor_of(store: Store, generation: str | None, identity: str) -> int:
    """Return the position of a generation, or 0 if it is missing or damaged."""
    if generation is None:
        return 0
    try:
        return store.cursor(generation, identity) or 0
    except ModelDamaged:
        return 0


def verify(redis: Redis, new: str, versions: dict[str, int]) -> None:
    outdated = outdated_totals(redis, new, versions)
    if outdated:
        raise RebuildFailed(f"{len(outdated)} products do not match the log, for example {outdated[0]!r}")


def swap(store: Store, expected: Generations, new: Generations) -> None:
    if not generations.swap(store.redis, store.names, expected, new):
        raise ModelLost
